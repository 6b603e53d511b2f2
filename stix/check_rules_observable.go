package stix

import (
	"bytes"
	"regexp"
	"strings"
)

// valueForm is the rule of cyber-observables whose "value" has a form of its own.
func valueForm(is func([]byte) bool, form string) func(*checker, int) {
	return func(c *checker, i int) {
		if n, value := c.stringOf(i, "value"); n > 0 && !is(value) {
			c.fail(n, "value", standardTypes[c.checkedType()].section, "%s is not %s.", quoteShort(value), form)
		}
	}
}

// checkEncoding checks the name of a character set and that the text it belongs to is present (§3.1, §3.9.1).
func (c *checker) checkEncoding(i int, name string) {
	c.needsOther(i, "3.1", name, strings.TrimSuffix(name, "_enc"))
	if n, charset := c.stringOf(i, name); n > 0 && !isCharset(charset) {
		c.fail(n, "charset", "3.9.1", "%s is not the name of a character set.", quoteShort(charset))
	}
}

func (c *checker) checkMIMEType(i int, section string) {
	if n, mime := c.stringOf(i, "mime_type"); n > 0 && !isMIMEType(mime) {
		c.warn(n, "mime-type", section,
			"%s should be a media type registered with IANA, like application/pdf.", quoteShort(mime))
	}
}

func checkArtifact(c *checker, i int) {
	payload, url := c.member(i, "payload_bin"), c.member(i, "url")
	if (payload > 0) == (url > 0) {
		c.fail(i, "exactly-one-of", "6.1", "Exactly one of payload_bin and url is required.")
	}
	c.needsOther(i, "6.1.1", "url", "hashes")
	c.needsOther(i, "6.1.1", "decryption_key", "encryption_algorithm")
	c.checkMIMEType(i, "6.1.1")
}

func checkDirectory(c *checker, i int) { c.checkEncoding(i, "path_enc") }

// encodedWord is an encoded word of RFC 2047: =?charset?encoding?text?=.
var encodedWord = regexp.MustCompile(`=\?[^?\s]{1,40}\?[bBqQ]\?[^?\s]*\?=`)

func checkEmailMessage(c *checker, i int) {
	if n, subject := c.stringOf(i, "subject"); n > 0 && encodedWord.Match(subject) {
		c.fail(n, "encoded-word", "6.6", "The subject holds encoded words (RFC 2047); write the text they stand for.")
	}
	if n := c.member(i, "body"); n > 0 && c.is(i, "is_multipart", kindTrue) {
		c.fail(n, "multipart", "6.6.1", "body is for messages that are not multipart; use body_multipart.")
	}
	if n := c.member(i, "body_multipart"); n > 0 && c.is(i, "is_multipart", kindFalse) {
		c.fail(n, "multipart", "6.6.1", "body_multipart is for multipart messages; use body, or set is_multipart to true.")
	}
}

func checkMIMEPart(c *checker, i int) { c.needsOne(i, "6.6.2", "body", "body_raw_ref") }

func checkFile(c *checker, i int) {
	c.needsOne(i, "6.7", "hashes", "name")
	c.checkEncoding(i, "name_enc")
	c.checkMIMEType(i, "6.7.1")
}

func checkPEBinary(c *checker, i int) {
	if c.member(i, "pe_type") > 0 && c.nodes[i].count < 2 {
		c.fail(i, "needs-property", "6.7.6", "At least one property beside pe_type is required.")
	}
	if n, at := c.timeOf(i, "time_date_stamp"); len(at) > secondsLength {
		c.fail(n, "timestamp-precision", "6.7.6", "time_date_stamp must be precise to the second, without a fraction.")
	}
}

func checkNetworkTraffic(c *checker, i int) {
	c.needsOne(i, "6.12", "src_ref", "dst_ref")
	c.ordered(i, "start", "end", "6.12.1", false)
	if n := c.member(i, "end"); n > 0 && c.is(i, "is_active", kindTrue) {
		c.fail(n, "end-of-active", "6.12.1", "Traffic that is_active has no end yet; leave end out or set is_active to false.")
	}
	c.protocolCase(i)
	if c.member(i, "src_port") == 0 || c.member(i, "dst_port") == 0 {
		c.warn(i, "ports", "6.12", "src_port and dst_port should be present.")
	}
}

func checkSocket(c *checker, i int) {
	options := c.member(i, "options")
	if options == 0 || c.nodes[options].kind != kindObject {
		return
	}
	for n := options + 1; n < int(c.nodes[options].end); n = int(c.nodes[n].end) {
		if key := c.nameBytes(n); !isSocketOption(key) {
			c.warn(n, "socket-option", "6.12.4", "%s should be the name of a socket option, like SO_REUSEADDR.", quoteShort(key))
		}
	}
}

// isSocketOption accepts the families of socket options that operating systems name.
func isSocketOption(key []byte) bool {
	for _, prefix := range [...]string{"SO_", "ICMP_", "ICMP6_", "IP_", "IPV6_", "MCAST_", "TCP_", "IRLMP_"} {
		if bytes.HasPrefix(key, []byte(prefix)) {
			return true
		}
	}
	return false
}

func checkWindowsProcess(c *checker, i int) {
	needsMember("6.13.2")(c, i)
	if n, priority := c.stringOf(i, "priority"); n > 0 && !bytes.HasSuffix(priority, []byte("_CLASS")) {
		c.warn(n, "priority-class", "6.13.2", "The priority should be the name of a priority class, which ends in _CLASS.")
	}
}

func checkSoftware(c *checker, i int) {
	if n, cpe := c.stringOf(i, "cpe"); n > 0 && !isCPE(cpe) {
		c.fail(n, "cpe", "6.14.1", "%s is not a CPE 2.3 formatted string: cpe:2.3: and eleven parts.", quoteShort(cpe))
	}
}

func checkRegistryKey(c *checker, i int) {
	needsProperty(c, i)
	n, key := c.stringOf(i, "key")
	if n == 0 {
		return
	}
	hive, _, _ := bytes.Cut(key, []byte(`\`))
	switch strings.ToUpper(string(hive[:min(len(hive), 8)])) {
	case "HKLM", "HKCU", "HKCR", "HKU", "HKCC", "HKPD":
		c.fail(n, "registry-hive", "6.17.1", "Write the name of the hive out, like HKEY_LOCAL_MACHINE, instead of %s.", hive)
	}
}
