SELECT coalesce(max(number), 0) FROM tracking_pricebookedition
