"""Reports: what is known of one error, made when it happens."""
