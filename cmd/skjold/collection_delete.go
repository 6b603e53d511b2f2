package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

func (a *app) collectionDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete-object COLLECTION OBJECT-ID", Short: "Delete an object with all its versions from a collection of this node",
		Long: `Delete an object with all its versions from a collection of this node, whatever its marking: also one that nobody is
served, such as TLP:RED. Nodes that have received it keep it, and pulls do not bring it back here.`,
		Args: cobra.ExactArgs(2), Example: "  skjold collection delete-object indicators indicator--11111111-1111-4111-8111-111111111111",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := stix.ParseIdentifier(args[1])
			if err != nil {
				return usageError{err}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				c, err := findCollection(ctx, st, args[0])
				if err != nil {
					return err
				}
				n, err := st.Delete(ctx, taxii.Deletion{Collection: c.ID, ID: id})
				if isNotFound(err) {
					return fmt.Errorf("collection %q has no object %s", c.Title, id)
				} else if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, map[string]any{"id": id, "versions": n})
				}
				_, err = fmt.Fprintf(a.out, "Deleted %s of %s from %s\n", counted(n, "version"), id, printable(c.Title))
				return err
			})
		},
	}
	return cmd
}
