-- A published price is history: it may be ended once, and nothing else about it ever changes.
CREATE OR REPLACE FUNCTION tracking_price_guard() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
       AND OLD.valid_to IS NULL
       AND NEW.valid_to IS NOT NULL
       AND to_jsonb(NEW) - 'valid_to' = to_jsonb(OLD) - 'valid_to'
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'A published price is never changed or deleted; publish a new version.'
        USING ERRCODE = 'restrict_violation';
END;
$$;

CREATE OR REPLACE TRIGGER tracking_price_guard
BEFORE UPDATE OR DELETE ON tracking_price
FOR EACH ROW EXECUTE FUNCTION tracking_price_guard();

-- Whoever changes models or prices, by whatever door, makes every price book in memory stale.
-- Before the statement and not after: every writer locks the edition first and rows afterwards.
CREATE OR REPLACE FUNCTION tracking_price_book_moves_on() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tracking_pricebookedition AS edition (id, number) VALUES (1, 1)
    ON CONFLICT (id) DO UPDATE SET number = edition.number + 1;
    RETURN NULL;
END;
$$;

CREATE OR REPLACE TRIGGER tracking_price_book_moves_on
BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON tracking_price
FOR EACH STATEMENT EXECUTE FUNCTION tracking_price_book_moves_on();

CREATE OR REPLACE TRIGGER tracking_price_book_moves_on
BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON tracking_catalogmodel
FOR EACH STATEMENT EXECUTE FUNCTION tracking_price_book_moves_on();
