-- Entity configurations of members that accept no connections, which this hub hosts for them.
CREATE TABLE hosted (
  entity   TEXT PRIMARY KEY,
  compact  TEXT NOT NULL,
  issued   BIGINT NOT NULL,
  expires  BIGINT NOT NULL,
  received BIGINT NOT NULL
);
