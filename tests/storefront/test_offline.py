"""Without a network: the worker that keeps one page, and that page."""

from __future__ import annotations

import re

from store_customers import parse_clean


def test_the_page_says_what_goes_on_and_how_to_come_back(shop, change_store):
    change_store("ama", whatsapp="+233240000002")
    answer = shop("ama").get("/offline")
    assert answer.status_code == 200
    assert "No connection" in answer.text
    assert "Orders go on without this page." in answer.text
    assert re.search(r'<a class="btn main" href="">Try again</a>', answer.text)
    assert "https://wa.me/233240000002?text=" in answer.text
    assert "--c:#0b6e4f" in answer.text, "the store's theme"
    assert 'content="noindex"' in answer.text and "GH₵" not in answer.text
    assert "Set-Cookie" not in answer.headers
    parse_clean(answer.text)


def test_the_worker_is_a_script_of_the_store_s_whole_host(shop):
    answer = shop("ama").get("/sw.js")
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert answer.headers["Cache-Control"] == "max-age=3600"
    assert "Set-Cookie" not in answer.headers
    again = shop("ama").get("/sw.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert "worker-src 'self'" in answer.headers["Content-Security-Policy"]


def version_of(shop) -> str:
    return re.match(r'var KEPT="([0-9a-f]{12})"', shop("ama").get("/sw.js").text)[1]


def test_a_new_version_comes_with_a_new_page_worker_or_file(
    app, shop, change_store, monkeypatch
):
    seen = [version_of(shop)]
    assert version_of(shop) == seen[0]
    change_store("ama", name="Other name")
    seen.append(version_of(shop))
    names = app.extensions["static_names"]
    monkeypatch.setitem(names, "app.css", "app-000000000000.css")
    seen.append(version_of(shop))
    monkeypatch.setitem(app.extensions, "service_worker_js", "(function(){})(self)")
    seen.append(version_of(shop))
    assert len(set(seen)) == 4


def test_each_language_keeps_its_own_page_for_the_whole_store(shop):
    for root in ("", "/tw"):
        answer = shop("ama").get(f"{root}/sw.js")
        assert re.search(rf'FIRST=\["{root}/offline\?v=', answer.text), root
        assert answer.headers["Service-Worker-Allowed"] == "/", root


def test_other_rooms_have_no_worker(app):
    for host in ("portal", "admin", "hooks"):
        answer = app.test_client().get("/sw.js", base_url=f"http://{host}.localhost")
        assert answer.status_code == 404, host
        policy = answer.headers["Content-Security-Policy"]
        # the portal's shows notices and keeps nothing
        assert ("worker-src 'none'" in policy) == (host != "portal"), host


def test_the_store_page_asks_for_neither(shop):
    html = shop("ama").get("/").text
    for word in ("sw.js", "/offline", "manifest", "icon-"):
        assert word not in html
