// Package config is the node's configuration: one struct whose comments are the manual.
//
// Load takes every setting from the first of these that has it: a command-line flag, an environment variable
// (SKJOLD_…), the configuration file, the default. Nothing is guessed: a key or a variable that does not exist is
// refused, and so is a value of the wrong type or out of its range, each with the key's full name. The documented
// skjold.yaml is made from the comments of Config; a test keeps the two equal.
package config

import (
	"net/netip"
	"time"
)

// Config is the effective configuration of one node. Each field's comment is what the configuration file says about
// its key. A duration is written as 90s, 15m or 24h, a size as 512KiB, 32MiB or 1GiB.
//
// The tags: yaml is the key, default its value where nobody sets it, in the form that the file and the environment use.
type Config struct {
	// Entity is the name of this node in the federation: its OpenID Federation entity identifier, a URL such as
	// https://skjold.example.dk. Other nodes pin it, so choose it once. No query, no user name, no slash at the end. Empty:
	// http://127.0.0.1:PORT with the port of listen, which is good for trying things out on one machine only.
	Entity string `yaml:"entity" default:""`

	// Listen is the address that the node serves TAXII on, HOST:PORT. Beyond 127.0.0.1 it must be encrypted: set tls, or
	// put a reverse proxy in front and set behind_proxy.
	Listen string `yaml:"listen" default:"127.0.0.1:8080"`

	// PublicURL is the URL that clients reach this node at, where that is not entity: the scheme and host (and path, if a
	// proxy adds one) in front of /taxii2/. No slash at the end. Empty: the same as entity.
	PublicURL string `yaml:"public_url" default:""`

	// BehindProxy says that a reverse proxy in front of the node ends TLS, so that plain HTTP may be served on an address
	// that other machines reach. Make sure that only the proxy reaches it: passwords pass there unencrypted.
	BehindProxy bool `yaml:"behind_proxy" default:"false"`

	// TrustedProxies lists the networks of the proxies whose X-Forwarded-For is believed, such as 10.0.0.0/24: the client is
	// the last address in it that is not one of them. From anybody else the header is ignored, and the header Forwarded is
	// from everybody, since proxies pass on what a client wrote there. Needs behind_proxy. Without it all clients have the
	// proxy's address, in the log and for limits.failure_rate.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" default:"[]"`

	// Title is the name of this server in TAXII discovery, read by people.
	Title string `yaml:"title" default:"Skjold"`

	// Description says in TAXII discovery what this server is for. Empty: left out.
	Description string `yaml:"description" default:""`

	// Contact says in TAXII discovery whom to ask, such as a mail address or a telephone number. Empty: left out.
	Contact string `yaml:"contact" default:""`

	// APIRoot is the TAXII API root that holds the node's collections.
	APIRoot APIRoot `yaml:"api_root"`

	// Database is where the node keeps everything.
	Database Database `yaml:"database"`

	// Cache keeps pages ready to be sent.
	Cache Cache `yaml:"cache"`

	// Memory bounds what a serve process takes of the machine's memory.
	Memory Memory `yaml:"memory"`

	// Redis is a second place for pages, which the serve processes of a hub share. A node of one process needs none.
	Redis Redis `yaml:"redis"`

	// TLS lets the node serve HTTPS by itself, without a proxy: TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2. It then needs an
	// entity. Files that are replaced are taken up without a restart, within a second; while the new ones do not fit
	// together the old ones stay in force, and the log says why.
	TLS TLS `yaml:"tls"`

	// Limits bound what one request may cost. The defaults suit a server that faces the internet.
	Limits Limits `yaml:"limits"`

	// Submissions are what clients add to collections. Large ones are accepted first and stored afterwards.
	Submissions Submissions `yaml:"submissions"`

	// Log is about the log on standard error: one event per request, never a secret.
	Log Log `yaml:"log"`

	// Federation is about pulling from and serving other nodes.
	Federation Federation `yaml:"federation"`

	// Metrics is about /metrics, the node's figures in the Prometheus format.
	Metrics Metrics `yaml:"metrics"`

	origin origins
}

// APIRoot describes the TAXII 2.1 API root (§4.2).
type APIRoot struct {
	// Name is the part of the URL that names the API root: /taxii2/NAME/. Lower-case letters, digits and hyphens. Clients
	// keep this URL, so choose it once.
	Name string `yaml:"name" default:"main"`

	// Title is the name of the API root, read by people.
	Title string `yaml:"title" default:"Main"`

	// Description says what the API root is for. Empty: left out.
	Description string `yaml:"description" default:""`
}

// Database tells where the node keeps everything.
type Database struct {
	// URL is a PostgreSQL database, postgres://USER:PASSWORD@HOST/NAME, for a hub that runs several serve processes. Empty:
	// an SQLite database in the data directory, which needs no other server. A password is better placed in the
	// environment (SKJOLD_DATABASE_URL) than in this file. It is never printed.
	URL SecretURL `yaml:"url" default:""`

	// SlowQuery is how long a statement of the database may take before it is logged, 0s to 1h: its text without arguments,
	// and its duration, at most 20 a minute. 0s: never.
	SlowQuery time.Duration `yaml:"slow_query" default:"500ms"`
}

// Cache keeps pages ready to be sent.
type Cache struct {
	// Size is how much memory the pages may take, 1MiB to 1TiB.
	Size ByteSize `yaml:"size" default:"128MiB"`
}

// Memory bounds what a serve process takes of the machine's memory.
type Memory struct {
	// SoftLimit is how much memory the process may take, SQLite's caches (about 100 MiB) apart, before it looks for what it no
	// longer needs all the time; 128MiB to 1TiB. What is being received and sent comes on top, by the limits below. 0B:
	// 144MiB and cache.size. GOMEMLIMIT and GOGC in the environment go first.
	SoftLimit ByteSize `yaml:"soft_limit" default:"0B"`
}

// Redis is a second place for pages, which the serve processes of a hub share.
type Redis struct {
	// Addresses lists HOST:PORT of the server; of the Sentinels, where master names what they watch; or of some nodes of a
	// Cluster. Empty: no Redis. What is above TLP:AMBER never goes there.
	Addresses []string `yaml:"addresses" default:"[]"`

	// Master is the name that the Sentinels know the server by. Empty: the addresses are no Sentinels.
	Master string `yaml:"master" default:""`

	// Cluster says that the addresses are of a Redis Cluster.
	Cluster bool `yaml:"cluster" default:"false"`

	// Username is the ACL user of the node. Empty: the default user.
	Username string `yaml:"username" default:""`

	// Password is the user's password, better placed in the environment (SKJOLD_REDIS_PASSWORD) or in password_file than
	// in this file. It is never printed.
	Password Secret `yaml:"password" default:""`

	// PasswordFile is a file with the password, readable by the node's user only; a line break at its end does not count.
	PasswordFile string `yaml:"password_file" default:""`

	// SentinelUsername is the node's ACL user at the Sentinels. Empty: the default user.
	SentinelUsername string `yaml:"sentinel_username" default:""`

	// SentinelPassword is that user's password. It is never printed. Empty: the Sentinels ask for none.
	SentinelPassword Secret `yaml:"sentinel_password" default:""`

	// Database is the number of the database at the server, 0 to 1000000; a Cluster has 0 only.
	Database int `yaml:"database" default:"0"`

	// TLS encrypts the connections. Without it only a server on a trusted network should be used.
	TLS bool `yaml:"tls" default:"false"`

	// CAFile is a PEM file with the certificates of who signs the servers' certificates. Empty: those that the system trusts.
	CAFile string `yaml:"ca_file" default:""`
}

// TLS is the certificate that the node serves HTTPS with. A file that is replaced is taken up without a restart.
type TLS struct {
	// CertFile is a PEM file with the certificate of the node, followed by its intermediate certificates.
	CertFile string `yaml:"cert_file" default:""`

	// KeyFile is a PEM file with the certificate's private key, readable by the node's user only.
	KeyFile string `yaml:"key_file" default:""`

	// ClientCAFile is a PEM file with the authorities whose client certificates may log in, each for the account that it is
	// bound to (skjold client set NAME --certificate). Empty: clients are not asked for a certificate.
	ClientCAFile string `yaml:"client_ca_file" default:""`
}

// Limits bound what one request may cost.
type Limits struct {
	// MaxContentLength is the largest body that a client may send, 1KiB to 1GiB. The API root tells it to clients as
	// max_content_length.
	MaxContentLength ByteSize `yaml:"max_content_length" default:"32MiB"`

	// ObjectSize is the largest single STIX object that is accepted, 1KiB up to max_content_length.
	ObjectSize ByteSize `yaml:"object_size" default:"8MiB"`

	// MaxObjects is the most objects in one body, 1000 (which skjold publish sends at a time) to 1000000. A request with
	// more is refused as a whole.
	MaxObjects int `yaml:"max_objects" default:"50000"`

	// ObjectDepth is how deep lists and objects may be nested within each other in a STIX object, 8 to 1000.
	ObjectDepth int `yaml:"object_depth" default:"64"`

	// PageDefault is the number of objects on a page for clients that do not ask for a number, 1 up to page_max.
	PageDefault int `yaml:"page_default" default:"1000"`

	// PageMax is the most objects on a page, whatever the client asks for, 1 to 100000.
	PageMax int `yaml:"page_max" default:"10000"`

	// RequestRate is how many requests one account or peer may make in a minute, up to 1000000; 0 for any number. Beyond it
	// the answer is 429, with the seconds to wait in Retry-After. What was not used in one minute may be in the next. The
	// default, 200 a second, is far above a poll every 30 s (2 a minute), a connector that posts object by object, and a
	// first synchronisation at full speed (10 million objects are 10000 pages). Administrators have no such limit; 'skjold
	// client set NAME --rate' gives an account its own. Each serve process counts for itself.
	RequestRate int `yaml:"request_rate" default:"12000"`

	// ByteRate is how much one account or peer may send and be sent in a minute, at least 1MiB; 0B for any amount. It counts
	// bodies as they are on the wire, compressed. The default is more than a line of 1 Gbit/s carries. Otherwise as
	// request_rate; an account's own is --byte-rate.
	ByteRate ByteSize `yaml:"byte_rate" default:"8GiB"`

	// FailureRate is how many requests with wrong credentials one address may make in a minute before it is answered 429
	// instead of 401, up to 100000, and ten times as many without any; 0 for any number. Who has valid credentials is
	// served all the same. Addresses of IPv6 count by their /64.
	FailureRate int `yaml:"failure_rate" default:"600"`

	// IntroductionRate is how many trust chains one address may send in a minute to introduce nodes, up to 100000; beyond it
	// the answer is 429. 0 for any number. A node sends its chain once a day. Addresses of IPv6 count by their /64.
	IntroductionRate int `yaml:"introduction_rate" default:"60"`

	// HeaderSize is the most that the headers of a request may take, 4KiB to 1MiB.
	HeaderSize ByteSize `yaml:"header_size" default:"64KiB"`

	// HeaderTimeout is how long a client may take to send the headers of a request, 1s to 5m.
	HeaderTimeout time.Duration `yaml:"header_timeout" default:"10s"`

	// BodyTimeout is how long a client may take to send a body, 1s to 1h.
	BodyTimeout time.Duration `yaml:"body_timeout" default:"60s"`

	// RequestTimeout is how long the node works on one request, 1s to 1h.
	RequestTimeout time.Duration `yaml:"request_timeout" default:"60s"`

	// IdleTimeout is how long a connection without requests stays open, 1s to 1h.
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"120s"`

	// SendTimeout is how long a client may take for the next 256KiB of a response before it is cut off, 1s to 1h.
	SendTimeout time.Duration `yaml:"send_timeout" default:"10s"`

	// MinSendRate is how much of a larger response a client has to take in a second, on average, not to be cut off, 1KiB to
	// 1GiB.
	MinSendRate ByteSize `yaml:"min_send_rate" default:"128KiB"`

	// MaxReceiving is how much memory all bodies that are being received may take, at least four times max_content_length;
	// beyond it the answer is 503. 0B: 16 times max_content_length, and at least 512MiB.
	MaxReceiving ByteSize `yaml:"max_receiving" default:"0B"`

	// MaxSending is how much memory all larger responses that are being sent may take, 64MiB to 1024GiB; beyond it pages
	// are smaller, then the answer is 503.
	MaxSending ByteSize `yaml:"max_sending" default:"256MiB"`

	// FutureSkew is how far in the future the timestamps of a STIX object may be before it is refused, 0s to 720h.
	FutureSkew time.Duration `yaml:"future_skew" default:"24h"`
}

// Submissions bound what clients may have accepted and not stored yet. One submission by itself is always accepted.
type Submissions struct {
	// SyncObjects is the most objects of a request that are stored before it is answered, with a status that is complete, 1 to
	// 1000000. A larger request is answered at once with a status that is pending; its objects are stored in parts, also
	// after a restart, and the client asks for the status to see what became of them.
	SyncObjects int `yaml:"sync_objects" default:"5000"`

	// Pending is the most submissions that may be pending at once, of all accounts, 1 to 10000; more are answered with 503.
	Pending int `yaml:"pending" default:"64"`

	// PendingPerAccount is the most submissions of one account that may be pending, 1 up to pending; more are answered with
	// 429.
	PendingPerAccount int `yaml:"pending_per_account" default:"8"`

	// PendingSize is the most that the objects of all pending submissions may take in the database, 1MiB to 1TiB.
	PendingSize ByteSize `yaml:"pending_size" default:"1GiB"`

	// PendingSizePerAccount is the most that those of one account may take, 1MiB up to pending_size.
	PendingSizePerAccount ByteSize `yaml:"pending_size_per_account" default:"256MiB"`
}

// Log tells what is logged and how.
type Log struct {
	// Level is the least important level that is logged: debug, info, warn or error.
	Level string `yaml:"level" default:"info" oneof:"debug info warn error"`

	// Format is json (one JSON object a line), text, or auto: text on a terminal, else json.
	Format string `yaml:"format" default:"auto" oneof:"auto json text"`
}

// Federation is about pulling from and serving other nodes.
type Federation struct {
	// Enabled lets this node pull from its peers and serve them. false: only accounts of this node are served.
	Enabled bool `yaml:"enabled" default:"true"`

	// PollInterval is how often each subscription is pulled, 100ms to 24h.
	PollInterval time.Duration `yaml:"poll_interval" default:"60s"`

	// PageSize is how many objects are asked of a peer at a time, 1 to 10000.
	PageSize int `yaml:"page_size" default:"1000"`

	// Lenient stores what a peer sends although it breaks a rule of STIX 2.1 that does not concern sharing. false: such
	// objects are quarantined with the reason, where the operator can see them. A subscription made with --rules strict or
	// --rules lenient goes by that instead.
	Lenient bool `yaml:"lenient" default:"false"`

	// Charter is the hash of the founding charter of the federation that this node belongs to, 43 characters that the
	// founders read out: who is a member follows from it and from records that the founders have signed. Compare it by a
	// way that you trust. Empty: the node knows its pinned peers only.
	Charter string `yaml:"charter" default:""`

	// Superiors are the entities that issue statements about this node, the founders' choice: its hub, or the secretariat; at
	// most three. With them and charter the node finds its own trust chain and shows it to nodes that have not pinned it.
	Superiors []string `yaml:"superiors" default:"[]"`

	// HostedBy is the superior that hosts this node's entity configuration, for a node that accepts no connections from
	// other nodes: one of superiors. The node sends it there by itself, anew before it ends. Empty: the node answers itself.
	HostedBy string `yaml:"hosted_by" default:""`

	// RevocationInterval is how often the lists of suspended members are asked for, and, at the secretariat, signed: 1s to 5m.
	// A list is fresh for three of the secretariat's intervals; who is suspended stands in it at once.
	RevocationInterval time.Duration `yaml:"revocation_interval" default:"5m"`

	// StatementLife is how long a statement that this node signs holds, about itself or about its members, 10s to 24h. A
	// node that is cut off from the secretariat goes on for so long with the peers that it knows.
	StatementLife time.Duration `yaml:"statement_life" default:"24h"`

	// AllowPrivateAddresses lets this node connect to peers on private, loopback and link-local addresses. Leave it false
	// on the internet, where it keeps a peer's name from leading into your own network; set it to true where the nodes
	// share a closed network, or one machine.
	AllowPrivateAddresses bool `yaml:"allow_private_addresses" default:"false"`
}

// Metrics is about /metrics.
type Metrics struct {
	// Listen is an address of its own for /metrics, HOST:PORT, such as 127.0.0.1:9090. Empty: /metrics is on the address
	// that TAXII is served on.
	Listen string `yaml:"listen" default:""`

	// Public lets everybody who reaches the address read the figures. false: only programs on this machine and accounts
	// with the admin right.
	Public bool `yaml:"public" default:"false"`

	// Clients is how many accounts have figures of their own (last pull, lag, objects, failing), in the order of their
	// names, 0 to 10000. All are counted, whatever it says. Who reads the figures reads the names.
	Clients int `yaml:"clients" default:"200"`
}
