-- Receipts name the rules they were charged by: a rule takes only its end, as a price does.
CREATE OR REPLACE TRIGGER tracking_price_rule_guard
BEFORE UPDATE OR DELETE ON tracking_pricerule
FOR EACH ROW EXECUTE FUNCTION tracking_price_guard();

CREATE OR REPLACE TRIGGER tracking_price_book_moves_on
BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON tracking_pricerule
FOR EACH STATEMENT EXECUTE FUNCTION tracking_price_book_moves_on();
