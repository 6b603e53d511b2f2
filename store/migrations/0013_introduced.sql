-- Trust chains of nodes that introduced themselves, for all processes that serve this node.
CREATE TABLE introduced (
  entity     TEXT PRIMARY KEY,
  statements TEXT NOT NULL, -- one a line
  expires    BIGINT NOT NULL,
  kept       BIGINT NOT NULL
);
CREATE INDEX introduced_kept ON introduced (kept);
INSERT INTO counter (name, value) VALUES ('introduced', 0);
