// Express with pg's prepared statements and ejs, its templates kept as in production.
const express = require("express");
const path = require("path");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.PEER_DATABASE_URL, max: 8 });
const app = express();
app.set("views", path.join(__dirname, "views"));
app.set("view engine", "ejs");
app.enable("view cache");

const SHOP = { name: "shop", text: "SELECT id, name, colour FROM shop WHERE host = $1" };
const BUNDLES = {
  name: "bundles",
  text: "SELECT id, network, size, validity, price_pesewas FROM bundle WHERE shop_id = $1 ORDER BY position",
};

app.get("/", async (request, response) => {
  const shop = (await pool.query({ ...SHOP, values: [request.hostname] })).rows[0];
  if (!shop) return response.status(404).send("no shop");
  const bundles = (await pool.query({ ...BUNDLES, values: [shop.id] })).rows;
  response.render("shop", { shop, bundles });
});

app.listen(Number(process.argv[2]), "127.0.0.1");
