"""Everything that Faust makes us say: app, transport, recovery, table, web server. Nothing else imports it."""
