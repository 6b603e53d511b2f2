package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
)

// retentionFlags are the flags that say what a collection lets go of.
type retentionFlags struct {
	cmd                                  *cobra.Command
	revoked, expired, superseded, unread string
}

func (f *retentionFlags) add(cmd *cobra.Command) {
	f.cmd = cmd
	cmd.Flags().StringVar(&f.revoked, "retain-revoked", "", "how long revoked objects stay after their revocation: 90d, 12h, or never to drop them never")
	cmd.Flags().StringVar(&f.expired, "retain-expired", "", "how long objects stay after their valid_until")
	cmd.Flags().StringVar(&f.superseded, "retain-superseded", "", "how long versions stay after a later version came")
	cmd.Flags().StringVar(&f.unread, "retain-unread", "", "what a client has not read stays while it pulled within this time (30d unless set); never: wait for nobody")
}

// given tells whether a flag was.
func (f *retentionFlags) given() bool {
	for _, name := range []string{"retain-revoked", "retain-expired", "retain-superseded", "retain-unread"} {
		if f.cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// change sets what was given.
func (f *retentionFlags) change(r *store.Retention) error {
	for _, flag := range []struct {
		name, value string
		to          *time.Duration
	}{
		{"retain-revoked", f.revoked, &r.Revoked}, {"retain-expired", f.expired, &r.Expired},
		{"retain-superseded", f.superseded, &r.Superseded}, {"retain-unread", f.unread, &r.Unread},
	} {
		if !f.cmd.Flags().Changed(flag.name) {
			continue
		}
		d, err := parseDays(flag.value)
		if err != nil {
			return usagef("--%s: %w", flag.name, err)
		}
		*flag.to = d
	}
	return nil
}

// setRetention changes the rules of a collection by the flags that were given.
func setRetention(ctx context.Context, st *store.Store, collection string, flags retentionFlags) error {
	if !flags.given() {
		return nil
	}
	r, err := st.Retention(ctx, collection)
	if err != nil {
		return err
	}
	if err := flags.change(&r); err != nil {
		return err
	}
	return st.SetRetention(ctx, collection, r)
}

// parseDays reads 90d, 12h or never, which is 0.
func parseDays(s string) (time.Duration, error) {
	if s == "never" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is not a time such as 90d or 12h, nor never", s)
}

// days writes a time as parseDays reads it.
func days(d time.Duration) string {
	switch {
	case d == 0:
		return "never"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

// retentionJSON is what a collection lets go of: times as the flags take them, never for what stays for ever.
type retentionJSON struct {
	Revoked    string `json:"revoked"`
	Expired    string `json:"expired"`
	Superseded string `json:"superseded"`
	Unread     string `json:"unread"`
}

func retentionToJSON(r store.Retention) retentionJSON {
	return retentionJSON{Revoked: days(r.Revoked), Expired: days(r.Expired), Superseded: days(r.Superseded), Unread: days(r.Unread)}
}

// retentionInWords is "" where everything stays.
func retentionInWords(r store.Retention) string {
	var parts []string
	for _, p := range []struct {
		what  string
		after time.Duration
	}{{"revoked objects", r.Revoked}, {"expired objects", r.Expired}, {"superseded versions", r.Superseded}} {
		if p.after > 0 {
			parts = append(parts, p.what+" after "+days(p.after))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	text := strings.Join(parts, ", ")
	if r.Unread > 0 {
		text += "; not what a client has not read that pulled within " + days(r.Unread)
	}
	return text
}
