package taxii

import (
	"net/http"
	"strings"
)

// IdempotencyHeader names the header by which a client says that a POST may be a repetition of an earlier one: a string in
// quotation marks (RFC 8941 §3.3.3), as the IETF's draft has it, or the same text without them, as many clients send it.
const IdempotencyHeader = "Idempotency-Key"

// MaxKeyLength is the most characters of an idempotency key.
const MaxKeyLength = 255

// idempotencyKey reads the key of a request, "" if it has none.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values(IdempotencyHeader)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", badKey("is there %d times", len(values))
	}
	text := strings.Trim(values[0], " \t")
	key := text
	if strings.HasPrefix(text, `"`) {
		var ok bool
		if key, ok = unquoteKey(text); !ok {
			return "", badKey("does not end with its quotation mark")
		}
	}
	switch {
	case key == "":
		return "", badKey("is empty")
	case len(key) > MaxKeyLength:
		return "", badKey("has %d characters", len(key))
	case strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "", badKey("has a space or a character that is not ASCII")
	}
	return key, nil
}

// unquoteKey reads an RFC 8941 string: only the quotation mark and the backslash are escaped.
func unquoteKey(text string) (string, bool) {
	var key strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return key.String(), i == len(text)-1
		case '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}
			key.WriteByte(text[i])
		default:
			key.WriteByte(c)
		}
	}
	return "", false
}

// quoteKey writes a key as a client sends it.
func quoteKey(key string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
}

func badKey(format string, args ...any) *problem {
	p := refuse(http.StatusBadRequest, "Idempotency key not understood", format, args...)
	p.description = IdempotencyHeader + " " + p.description + "; send one key of 1 to 255 visible ASCII characters, such as a UUID in quotation marks."
	return p
}
