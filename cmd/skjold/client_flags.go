package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/store"
)

// Values of flags that stand for no amount.
const (
	wordNone    = "none"
	wordNever   = "never"
	wordDefault = "default"
)

// accountFlags are what client add and client set have in common: until when an account is accepted, what it may log in
// with beside a key, and how much it may ask for.
type accountFlags struct {
	expires      string
	setPassword  bool
	passwordFile string
	certificates []string
	rate         string
	byteRate     string
}

func (f *accountFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.expires, "expires", "", `when the account ends: 2027-01-31 (0:00 UTC), 2027-01-31T12:00:00Z, in 90d or 36h, or "never"`)
	cmd.Flags().BoolVar(&f.setPassword, "set-password", false, "log in with a password that you choose; it is asked for, or read from --password-file")
	cmd.Flags().StringVar(&f.passwordFile, "password-file", "", `file that holds the password, "-" for standard input`)
	cmd.Flags().StringArrayVar(&f.certificates, "certificate", nil,
		`client certificate that logs in: a PEM file or sha256:FINGERPRINT; may be repeated, so that a new one overlaps with the old; "none" for none`)
	cmd.Flags().StringVar(&f.rate, "rate", "", `requests a minute, "none" for any number, "default" for limits.request_rate`)
	cmd.Flags().StringVar(&f.byteRate, "byte-rate", "", `bytes a minute such as 512MiB, "none" for any number, "default" for limits.byte_rate`)
}

// changed tells whether any of the flags is given.
func (f *accountFlags) changed() bool {
	return f.expires != "" || f.wantsPassword() || len(f.certificates) > 0 || f.rate != "" || f.byteRate != ""
}

func (f *accountFlags) wantsPassword() bool { return f.setPassword || f.passwordFile != "" }

// apply puts the flags that are given into an account.
func (f *accountFlags) apply(c *store.Client, now time.Time) error {
	if f.expires != "" {
		at, err := parseExpires(f.expires, now)
		if err != nil {
			return err
		}
		c.Expires = at
	}
	if len(f.certificates) > 0 {
		list, err := readCertificates(f.certificates)
		if err != nil {
			return err
		}
		c.Certificates = list
	}
	if f.rate != "" {
		n, err := parseRate("--rate", f.rate, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 32) })
		if err != nil {
			return err
		}
		c.Rates.Requests = n
	}
	if f.byteRate != "" {
		n, err := parseRate("--byte-rate", f.byteRate, func(s string) (int64, error) {
			size, err := config.ParseByteSize(s)
			return int64(size), err
		})
		if err != nil {
			return err
		}
		c.Rates.Octets = n
	}
	return nil
}

// parseExpires reads when an account ends; the zero time is never.
func parseExpires(s string, now time.Time) (time.Time, error) {
	at, ok := time.Time{}, false
	if s == wordNever {
		return at, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			at, ok = t.UTC(), true
		}
	}
	if days, isDays := strings.CutSuffix(s, "d"); isDays && !ok {
		n, err := strconv.ParseUint(days, 10, 16)
		at, ok = now.AddDate(0, 0, int(n)), err == nil
	}
	if d, err := time.ParseDuration(s); err == nil && !ok {
		at, ok = now.Add(d), true
	}
	switch {
	case !ok:
		return at, usagef("--expires %q is no time: want 2027-01-31, 2027-01-31T12:00:00Z, 90d, 36h or never", s)
	case !at.After(now):
		return at, usagef("--expires %s is in the past; to refuse an account from now on, use 'client set NAME --disable'", s)
	}
	return at.UTC().Truncate(time.Microsecond), nil
}

// parseRate reads an amount a minute: 0 for the node's own, -1 for any.
func parseRate(flag, s string, parse func(string) (int64, error)) (int64, error) {
	switch s {
	case wordDefault:
		return 0, nil
	case wordNone:
		return -1, nil
	}
	n, err := parse(s)
	if err != nil || n <= 0 {
		return 0, usagef("%s %q is no amount a minute, nor none or default", flag, s)
	}
	return n, nil
}

// rateInWords is the reverse of parseRate, "" for the node's own.
func rateInWords(n int64, text func(int64) string) string {
	switch {
	case n == 0:
		return ""
	case n < 0:
		return wordNone
	}
	return text(n)
}

// readCertificates reads the certificates of --certificate.
func readCertificates(refs []string) ([]store.Fingerprint, error) {
	var list []store.Fingerprint
	for _, ref := range refs {
		switch {
		case ref == wordNone && len(refs) == 1:
			return nil, nil
		case ref == wordNone:
			return nil, usagef("--certificate none stands alone")
		case strings.HasPrefix(strings.ToLower(ref), "sha256:"):
			f, err := store.ParseFingerprint(ref)
			if err != nil {
				return nil, usageError{err}
			}
			list = append(list, f)
		default:
			f, err := certificateInFile(ref)
			if err != nil {
				return nil, fmt.Errorf("--certificate: %w", err)
			}
			list = append(list, f)
		}
	}
	return list, nil
}

// certificateInFile is the fingerprint of the first certificate in a PEM file, which is the client's own.
func certificateInFile(name string) (store.Fingerprint, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return store.Fingerprint{}, err
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return store.Fingerprint{}, fmt.Errorf("%s has no certificate in PEM", name)
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return store.Fingerprint{}, fmt.Errorf("%s: %w", name, err)
		}
		return sha256.Sum256(block.Bytes), nil
	}
}

// maxPasswordFile bounds what is read of a password.
const maxPasswordFile = 4096

// newPassword reads the password that an account is to have: from the file, or from the terminal, twice.
func (a *app) newPassword(f *accountFlags) (string, error) {
	switch in, isFile := a.in.(*os.File); {
	case f.passwordFile == "-":
		return readPassword(a.in)
	case f.passwordFile != "":
		file, err := os.Open(f.passwordFile)
		if err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		defer file.Close()
		return readPassword(file)
	case !isFile || !term.IsTerminal(int(in.Fd())):
		return "", usagef("there is no terminal to ask for the password; give it with --password-file FILE")
	default:
		return a.askPassword(in)
	}
}

func readPassword(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPasswordFile))
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	password := string(bytes.TrimRight(text, "\r\n"))
	if password == "" {
		return "", errors.New("--password-file: it is empty")
	}
	return password, nil
}

func (a *app) askPassword(terminal *os.File) (string, error) {
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(a.err, prompt)
		text, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(a.err)
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two are not the same; nothing was changed")
	}
	if typed[0] == "" {
		return "", errors.New("the password is empty; nothing was changed")
	}
	return typed[0], nil
}
