// Package archive is the format of backups: one file that restores into any database engine.
//
// A backup is a gzip-compressed tar file, so that common tools can list and test it (tar -tzf, gzip -t). Its members, in
// this order:
//
//   - skjold-backup.json, the Head: the version of the format, whose backup it is, of which schema, and what the tables
//     and their columns are.
//   - files/NAME: files of the data directory, such as keys; usually none.
//   - tables/NAME/NNNNNN: the rows of a table in the order of its primary key, cut into parts at the ends of rows. A row is
//     its columns one after the other: an integer as a zigzag varint (as in Protocol Buffers), a text or bytes as their
//     length, an unsigned varint, and the bytes themselves.
//   - manifest.json, the Manifest: the size and the SHA-256 of every member before it, and for each table the number of its
//     rows and the SHA-256 of all its parts together.
//   - manifest.json.sha256: the SHA-256 of the manifest, in the form that sha256sum -c reads.
//
// A file without its end was cut short; Read refuses it, and everything that differs from the manifest.
package archive
