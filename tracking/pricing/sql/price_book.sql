-- Every active model with the prices that hold at the instant or later; one row without a price
-- for a model that has none. The rates stay text: they are parsed when a model is first called.
SELECT model.id,
       model.name,
       model.provider,
       model.mode,
       model.context_window,
       model.max_output_tokens,
       model.capabilities,
       price.id,
       price.version,
       price.valid_from,
       price.valid_to,
       price.rates::text
FROM tracking_catalogmodel AS model
LEFT JOIN tracking_price AS price
       ON price.model_id = model.id
      AND (price.valid_to IS NULL OR price.valid_to > %(at)s)
WHERE model.active
ORDER BY model.id, price.version
