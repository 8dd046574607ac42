-- Fifty shops of fifteen bundles. The peers' own tables: `bundle` is a shop's line, with its price.
DROP TABLE IF EXISTS bundle, shop;
CREATE TABLE shop (id bigint PRIMARY KEY, host text UNIQUE NOT NULL, name text NOT NULL, colour text NOT NULL);
CREATE TABLE bundle (
  id bigint PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shop (id), position int NOT NULL,
  network text NOT NULL, size text NOT NULL, validity text NOT NULL, price_pesewas int NOT NULL,
  UNIQUE (shop_id, position)
);
INSERT INTO shop SELECT n, 's' || n || '.localhost', 'Shop ' || n, '#0b6e4f' FROM generate_series(1, 50) n;
INSERT INTO bundle
SELECT s * 100 + p, s, p, (ARRAY['MTN', 'Telecel', 'AT'])[1 + p % 3], p + 1 || ' GB', 'no expiry', 450 * (p + 1)
FROM generate_series(1, 50) s, generate_series(0, 14) p;
ANALYZE shop, bundle;
