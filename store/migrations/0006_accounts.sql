-- An account may end, log in by a password or a certificate beside its keys, and have bounds of its own.

ALTER TABLE client ADD COLUMN expires BIGINT NOT NULL DEFAULT 0; -- when the account ends
ALTER TABLE client ADD COLUMN password TEXT NOT NULL DEFAULT ''; -- the Argon2id hash with its parameters; '' for none
ALTER TABLE client ADD COLUMN request_rate BIGINT NOT NULL DEFAULT 0; -- requests a minute; 0: the node's own bound, negative: none
ALTER TABLE client ADD COLUMN byte_rate BIGINT NOT NULL DEFAULT 0; -- bytes a minute, likewise
CREATE INDEX client_with_password ON client (account) WHERE password <> '';

CREATE TABLE client_certificate (
  fingerprint BYTEA PRIMARY KEY, -- SHA-256 of the certificate as DER
  account     INTEGER NOT NULL REFERENCES client (account) ON DELETE CASCADE
);
CREATE INDEX client_certificate_account ON client_certificate (account);
