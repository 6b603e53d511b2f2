package store

// invariants are queries that return a line of text for everything that is wrong.
var invariants = []struct{ rule, sql string }{
	{"an entry is no later than its collection's counter and later than its creation",
		`SELECT c.title || ': ' || e.object FROM entry e JOIN collection c ON c.number = e.collection
		 WHERE e.date_added > c.last_added OR e.date_added <= c.created`},
	{"entries are numbered in the order of date_added",
		`SELECT title || ': ' || object FROM (
			SELECT c.title AS title, e.object AS object, e.seq AS seq,
				LAG(e.seq) OVER (PARTITION BY e.collection ORDER BY e.date_added) AS before
			FROM entry e JOIN collection c ON c.number = e.collection) o WHERE o.before >= o.seq`},
	{"an entry is marked first and last in its facet exactly if it is",
		`SELECT c.title || ': ' || v.object FROM (
			SELECT e.collection AS collection, e.object AS object, e.is_first AS is_first, e.is_last AS is_last,
				ROW_NUMBER() OVER (PARTITION BY e.collection, e.object, e.facet ORDER BY e.version_key) AS low,
				ROW_NUMBER() OVER (PARTITION BY e.collection, e.object, e.facet ORDER BY e.revoked DESC,
					CASE WHEN e.revoked = 1 THEN e.version_key ELSE '' END, e.version_key DESC) AS high,
				CASE WHEN MIN(e.facet) OVER (PARTITION BY e.collection, e.object) = MAX(e.facet) OVER (PARTITION BY e.collection, e.object) THEN 1 ELSE 2 END AS mark
			FROM entry e) v JOIN collection c ON c.number = v.collection
		 WHERE v.is_first <> CASE WHEN v.low = 1 THEN v.mark ELSE 0 END OR v.is_last <> CASE WHEN v.high = 1 THEN v.mark ELSE 0 END`},
	{"a collection counts its entries",
		`SELECT c.title FROM collection c WHERE c.objects <> (SELECT COUNT(*) FROM entry e WHERE e.collection = c.number)`},
	{"a facet counts its entries",
		`SELECT c.title || ': ' || f.type FROM facet f JOIN collection c ON c.number = f.collection
		 WHERE f.entries <> (SELECT COUNT(*) FROM entry e WHERE e.facet = f.number)`},
	{"no entry of a facet is later than the facet says, nor of another collection",
		`SELECT c.title || ': ' || e.object FROM entry e JOIN facet f ON f.number = e.facet JOIN collection c ON c.number = e.collection
		 WHERE e.date_added > f.last_added OR f.collection <> e.collection`},
	{"an entry has the object type of its facet",
		`SELECT e.object FROM entry e JOIN facet f ON f.number = e.facet WHERE e.object NOT LIKE f.type || '--%'`},
	{"a facet is unknown exactly if it has a marking that is not known in its collection",
		`SELECT c.title || ': ' || f.type FROM facet f JOIN collection c ON c.number = f.collection
			JOIN marking_set m ON m.number = f.marking_set WHERE f.unknown <> CASE WHEN EXISTS (
			SELECT 1 FROM marking_set_member b WHERE b.marking_set = f.marking_set
			AND NOT EXISTS (SELECT 1 FROM known_marking k WHERE k.collection = f.collection AND k.marking = b.marking
				AND k.source IN ('', m.source))) THEN 1 ELSE 0 END`},
	{"facets that share an object are noted",
		`SELECT c.title || ': ' || e.object FROM entry e JOIN facet f ON f.number = e.facet JOIN collection c ON c.number = e.collection
		 WHERE f.divided = 0 AND (e.is_first = 2 OR e.is_last = 2)`},
	{"facets that have a revocation are noted",
		`SELECT c.title || ': ' || e.object FROM entry e JOIN facet f ON f.number = e.facet JOIN collection c ON c.number = e.collection
		 WHERE e.revoked = 1 AND f.revoking = 0`},
	{"nothing that is held has a tombstone",
		`SELECT c.title || ': ' || t.object FROM tombstone t JOIN collection c ON c.number = t.collection
		 WHERE EXISTS (SELECT 1 FROM entry e WHERE e.collection = t.collection AND e.object = t.object AND e.version_key = t.version_key)`},
	{"an observable value is of an entry that is held",
		`SELECT c.title || ': ' || o.entry FROM observable o JOIN collection c ON c.number = o.collection
		 WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE e.seq = o.entry AND e.collection = o.collection)`},
	{"what an entry breaks is recorded as a list",
		`SELECT e.object FROM entry e WHERE e.violations <> '' AND e.violations NOT LIKE '[{%}]'`},
	{"a subscription counts what the quarantine holds of it",
		`SELECT s.peer || ' ' || s.source FROM subscription s
		 WHERE s.quarantine_rows <> (SELECT COUNT(*) FROM quarantine q WHERE q.subscription = s.id)
		 OR s.quarantine_bytes <> (SELECT COALESCE(SUM(q.size), 0) FROM quarantine q WHERE q.subscription = s.id)`},
	{"a pending submission has the parts that are undecided",
		`SELECT s.status FROM submission s WHERE s.decided >= s.parts OR s.parts - s.decided <> (
			SELECT COUNT(*) FROM submission_part p WHERE p.submission = s.number AND p.part > s.decided)`},
	{"a part that is undecided is of a pending submission",
		`SELECT 'submission ' || p.submission FROM submission_part p WHERE NOT EXISTS (SELECT 1 FROM submission s WHERE s.number = p.submission)`},
	{"a part of a status has its status",
		`SELECT p.status FROM status_part p WHERE NOT EXISTS (SELECT 1 FROM status s WHERE s.id = p.status)`},
	{"an account is a client or a peer",
		`SELECT a.name FROM account a WHERE (SELECT COUNT(*) FROM client c WHERE c.account = a.number) + (SELECT COUNT(*) FROM peer p WHERE p.account = a.number) <> 1`},
	{"a subscription's peer is pinned",
		`SELECT s.peer FROM subscription s WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.kind = 'peer' AND a.name = s.peer)`},
}
