"""Django with its ORM and its templates, on PostgreSQL with connections that stay."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

DATABASE = urlsplit(os.environ["PEER_DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="a benchmark",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE.path[1:],
            "USER": DATABASE.username,
            "PASSWORD": DATABASE.password,
            "HOST": DATABASE.hostname,
            "PORT": DATABASE.port,
            "CONN_MAX_AGE": 600,
        }
    },
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [Path(__file__).parent / "templates"],
        }
    ],
)
django.setup()

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path


class Shop(models.Model):
    id = models.BigIntegerField(primary_key=True)
    host = models.TextField()
    name = models.TextField()
    colour = models.TextField()

    class Meta:
        app_label = "peers"
        db_table = "shop"


class Bundle(models.Model):
    id = models.BigIntegerField(primary_key=True)
    shop = models.ForeignKey(Shop, models.CASCADE)
    position = models.IntegerField()
    network = models.TextField()
    size = models.TextField()
    validity = models.TextField()
    price_pesewas = models.IntegerField()

    class Meta:
        app_label = "peers"
        db_table = "bundle"

    @property
    def cedis(self) -> str:
        return f"{self.price_pesewas / 100:.2f}"


def show(request: HttpRequest) -> HttpResponse:
    shop = get_object_or_404(Shop, host=request.get_host().partition(":")[0])
    bundles = Bundle.objects.filter(shop=shop).order_by("position")
    return render(request, "django.html", {"shop": shop, "bundles": bundles})


urlpatterns = [path("", show)]
application = get_wsgi_application()
