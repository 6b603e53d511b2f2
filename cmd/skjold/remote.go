package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/taxii"
)

// remoteFlags name a TAXII server and the account to use there.
type remoteFlags struct {
	url, user, password, passwordFile, token string
}

func (r *remoteFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.url, "url", os.Getenv("SKJOLD_URL"), "API root of a TAXII 2.1 server, such as https://HOST/taxii2/main/ (SKJOLD_URL)")
	r.registerAccount(cmd)
}

func (r *remoteFlags) registerAccount(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.user, "user", os.Getenv("SKJOLD_USER"), "user name (SKJOLD_USER)")
	cmd.Flags().StringVar(&r.password, "password", "", "password; others can see it in the process list, so better SKJOLD_PASSWORD or --password-file")
	cmd.Flags().StringVar(&r.passwordFile, "password-file", "", "file that holds the password")
	cmd.Flags().StringVar(&r.token, "token", os.Getenv("SKJOLD_TOKEN"), "API key to send as a bearer token instead of user and password (SKJOLD_TOKEN)")
}

// secret finds the password: flag, then file, then environment.
func (r *remoteFlags) secret() (string, error) {
	switch {
	case r.password != "" && r.passwordFile != "":
		return "", usagef("give --password or --password-file, not both")
	case r.password != "":
		return r.password, nil
	case r.passwordFile != "":
		text, err := os.ReadFile(r.passwordFile)
		if err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	return os.Getenv("SKJOLD_PASSWORD"), nil
}

// client returns a TAXII client for the URL.
func (r *remoteFlags) client(url string) (*taxii.Client, error) {
	password, err := r.secret()
	if err != nil {
		return nil, err
	}
	return taxii.NewClient(taxii.ClientOptions{
		URL: url, User: r.user, Password: password, Token: r.token, UserAgent: "skjold/" + versionText(),
	})
}

// chooseCollection finds the collection to publish into among those that the caller sees.
func chooseCollection(ctx context.Context, list func(context.Context) ([]taxii.CollectionResource, error), ref string) (taxii.CollectionResource, error) {
	all, err := list(ctx)
	if err != nil {
		return taxii.CollectionResource{}, err
	}
	var writable []string
	var only taxii.CollectionResource
	for _, c := range all {
		if ref != "" && (strings.EqualFold(c.ID, ref) || c.Alias == ref || strings.EqualFold(c.Title, ref)) {
			return c, nil
		}
		if c.CanWrite {
			only = c
			writable = append(writable, c.Title)
		}
	}
	switch {
	case ref != "" && len(writable) == 0:
		return only, fmt.Errorf("there is no collection %q for this account, and none that it may write to", ref)
	case ref != "":
		return only, fmt.Errorf("there is no collection %q for this account; it may write to: %s", ref, strings.Join(writable, ", "))
	case len(writable) == 1:
		return only, nil
	case len(writable) == 0:
		return only, fmt.Errorf("this account may not write to any collection of the server")
	}
	return only, usagef("say which with --collection: %s", strings.Join(writable, ", "))
}
