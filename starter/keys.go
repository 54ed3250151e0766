package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "See what each key of the ring seals, and change the key without downtime",
		Long: `ENCRYPTION_KEYS is a ring of keys: the first one seals tokens and secrets, all of them open.
A new key takes over while everything runs:

  1. give every program the ring old,new            restart one after the other
  2. give every program the ring new,old            restart one after the other
  3. starter keys rotate --apply                    with the ring new,old
  4. give every program the ring new                restart one after the other

Whoever still has the ring of one step before opens what those of the next step seal.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.keysListCommand(), a.keysRotateCommand(), a.keysAbandonCommand())
	return cmd
}

func (a *app) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys, what each still seals, and which programs have it",
		Long: `Lists the keys of the ring and those that something is sealed with: how many values of each
kind, and which running programs have the key. No key and no value is shown.`,
		Example: `  starter keys list
  next: starter keys rotate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withKeys(cmd.Context(), func(ctx context.Context, db *store.Store, ring []string) error {
				s, err := readKeys(ctx, db, ring)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(s)
				}
				return s.print(a.out)
			})
		},
	}
}

func (a *app) keysRotateCommand() *cobra.Command {
	var apply bool
	cmd := &cobra.Command{
		Use:   "rotate [--apply]",
		Short: "Seal everything anew with the first key of the ring",
		Long: `Says what would be sealed anew with the first key of ENCRYPTION_KEYS and whether every running
program can open it; changes nothing. --apply does it, and says which keys can be taken out of the ring.

It goes in small transactions beside everything that runs. A token that is renewed meanwhile stays
as it was renewed. It may be interrupted, and repeated: what has the first key is left alone.`,
		Example: `  starter keys rotate
  starter keys rotate --apply
  next: starter keys list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withKeys(cmd.Context(), func(ctx context.Context, db *store.Store, ring []string) error {
				return a.rotateKeys(ctx, db, ring, apply)
			})
		},
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "do it")
	return cmd
}

func (a *app) keysAbandonCommand() *cobra.Command {
	var apply bool
	cmd := &cobra.Command{
		Use:   "abandon ID [--apply]",
		Short: "Give up what a lost key sealed",
		Long: `Says what a key that nobody has any more sealed, and changes nothing. --apply gives it up: the
integrations whose tokens it sealed wait for a new grant, consumer secrets and tenants' tokens
are to be applied once more, and authorizations under way end. Comments, cursors and the bill stay.

It refuses while the key is in this ring, or in that of a program that runs: then it is not lost.`,
		Example: `  starter keys abandon k1
  starter keys abandon k1 --apply
  next: starter list`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fault.New(fault.Invalid, "starter keys abandon takes the id of one key").WithHint("`starter keys list` has them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withKeys(cmd.Context(), func(ctx context.Context, db *store.Store, ring []string) error {
				return a.abandonKey(ctx, db, ring, args[0], apply)
			})
		},
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "do it, for good")
	return cmd
}

// abandoned is the answer of keys abandon in JSON: a contract with scripts.
type abandoned struct {
	Key     string `json:"key"`
	Applied bool   `json:"applied"`
	Values  int64  `json:"values"`
}

func (a *app) abandonKey(ctx context.Context, db *store.Store, ring []string, id string, apply bool) error {
	v, err := readKeys(ctx, db, ring)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(v.Keys, func(k keyView) bool { return k.ID == id })
	if n < 0 {
		return fault.New(fault.NotFound, "nothing is sealed with a key %s", id).WithHint("`starter keys list` has the keys")
	}
	if held := v.holders(id); v.Keys[n].InRing || held != "-" {
		return fault.New(fault.Conflict, "the key %s is not lost: it is in the ring of %s", id, map[bool]string{true: "this command", false: held}[v.Keys[n].InRing]).
			WithHint("seal everything anew with another key: starter keys rotate")
	}
	r := abandoned{Key: id, Applied: apply, Values: v.Keys[n].Values}
	if apply {
		if r.Values, err = db.AbandonKey(ctx, id); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(r)
	}
	if !apply {
		a.say("%s would be given up: %s\nnext: starter keys abandon %s --apply", id, v.kinds(id), id)
		return nil
	}
	a.say("%s is given up: %s\nnext: `starter list` has the integrations that wait for a grant; apply files with a consumer secret or a token once more", id, v.kinds(id))
	return nil
}

// withKeys opens the database with the ring.
func (a *app) withKeys(ctx context.Context, do func(ctx context.Context, db *store.Store, ring []string) error) error {
	cfg, err := a.config("ENCRYPTION_KEYS")
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(ctx, db, cfg.Keys.KeyIDs())
}

// keysView is the answer of keys list in JSON: a contract with scripts.
type keysView struct {
	Seals    string            `json:"seals"` // the id of the ring's first key
	Keys     []keyView         `json:"keys"`  // of the ring in its order, then others
	Programs []store.Program   `json:"programs"`
	Sealed   []store.SealedUse `json:"sealed"`
}

type keyView struct {
	ID     string `json:"id"` // "" = values that no key can have sealed
	InRing bool   `json:"in_ring"`
	Values int64  `json:"values"`
}

func readKeys(ctx context.Context, db *store.Store, ring []string) (keysView, error) {
	v := keysView{Seals: ring[0]}
	var err error
	if v.Sealed, err = db.SealedBy(ctx); err != nil {
		return v, err
	}
	if v.Programs, err = db.Programs(ctx); err != nil {
		return v, err
	}
	for _, id := range ring {
		v.Keys = append(v.Keys, keyView{ID: id, InRing: true})
	}
	for _, u := range v.Sealed {
		n := slices.IndexFunc(v.Keys, func(k keyView) bool { return k.ID == u.KeyID })
		if n < 0 {
			v.Keys, n = append(v.Keys, keyView{ID: u.KeyID}), len(v.Keys)
		}
		v.Keys[n].Values += u.Values
	}
	return v, nil
}

// others is how many values another key than the first one seals.
func (v keysView) others() (n int64) {
	for _, k := range v.Keys {
		if k.ID != v.Seals {
			n += k.Values
		}
	}
	return n
}

// lacking lists the programs whose ring does not hold the first key, sealing those that seal with another one.
func (v keysView) lacking() (lacking, sealing []string) {
	for _, p := range v.Programs {
		name := p.Place()
		if len(p.Keys) == 0 {
			name += " (of an older release, which does not say what it has)"
		} else {
			name += " (has " + strings.Join(p.Keys, ",") + ")"
		}
		if !p.Opens(v.Seals) {
			lacking = append(lacking, name)
		} else if p.Seals() != v.Seals {
			sealing = append(sealing, name)
		}
	}
	return lacking, sealing
}

func (v keysView) print(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tIN THE RING\tSEALS\tPROGRAMS THAT HAVE IT")
	for _, k := range v.Keys {
		place, id := "no", k.ID
		switch {
		case k.ID == v.Seals:
			place = "first"
		case k.InRing:
			place = "yes"
		case k.ID == "":
			id = "(not sealed)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, place, v.kinds(k.ID), v.holders(k.ID))
	}
	return w.Flush()
}

// kinds says what a key seals.
func (v keysView) kinds(id string) string {
	var parts []string
	for _, u := range v.Sealed {
		if u.KeyID == id {
			parts = append(parts, grouped(u.Values)+" "+u.What)
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// holders says which running programs have a key.
func (v keysView) holders(id string) string {
	var names []string
	for _, p := range v.Programs {
		if slices.Contains(p.Keys, id) && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

// rotated is the answer of keys rotate in JSON: a contract with scripts.
type rotated struct {
	Key       string                `json:"key"` // that seals
	Applied   bool                  `json:"applied"`
	Waiting   int64                 `json:"waiting"`   // values that another key seals, before
	Resealed  int64                 `json:"resealed"`  // that were sealed anew
	Changed   int64                 `json:"changed"`   // that somebody replaced meanwhile
	Failed    []store.ResealFailure `json:"failed"`    // that no key of the ring opens
	Removable []string              `json:"removable"` // keys of the ring that seal nothing any more, and that no program seals with
	Lacking   []string              `json:"lacking"`   // programs that run without the key
	Sealing   []string              `json:"sealing"`   // programs that seal with another key
}

// rotatePasses is how often what others seal meanwhile with an old key is looked for again.
const rotatePasses = 3

func (a *app) rotateKeys(ctx context.Context, db *store.Store, ring []string, apply bool) error {
	before, err := readKeys(ctx, db, ring)
	if err != nil {
		return err
	}
	r := rotated{Key: before.Seals, Waiting: before.others(), Applied: apply, Failed: []store.ResealFailure{}, Removable: before.removable()}
	r.Lacking, r.Sealing = before.lacking()
	if !apply {
		return a.showRotation(r, before)
	}
	if len(r.Lacking) > 0 {
		return fault.New(fault.Conflict, "programs run that could not open what key %s seals: %s", r.Key, strings.Join(r.Lacking, "; ")).
			WithHint("put %s into their ENCRYPTION_KEYS, behind the first key, and restart them; `starter keys --help` has the steps", r.Key)
	}
	told := newTeller(a.talk, "sealing anew with "+r.Key, "values", r.Waiting)
	for range rotatePasses {
		done, err := db.Reseal(ctx, func(now store.Resealed) { told.tell(r.Resealed + now.Resealed) })
		r.Resealed += done.Resealed
		r.Changed += done.Changed
		r.Failed = append([]store.ResealFailure{}, done.Failed...) // those of the last pass
		if err != nil {
			if r.Resealed > 0 {
				a.say("%s values are sealed anew; run the command again, it goes on with the rest", grouped(r.Resealed))
			}
			return err
		}
		if done.Resealed+done.Changed == 0 {
			break
		}
	}
	after, err := readKeys(ctx, db, ring)
	if err != nil {
		return err
	}
	r.Lacking, r.Sealing = after.lacking()
	r.Removable = after.removable()
	if r.Resealed > 0 {
		if err := db.Audit(ctx, store.AuditEvent{Type: store.EventKeysRotated, Details: map[string]any{
			"key": r.Key, "resealed": r.Resealed, "failed": len(r.Failed), "removable": r.Removable}}); err != nil {
			return err
		}
	}
	return a.showRotation(r, after)
}

// removable lists the keys behind the first one that nothing is sealed with and nobody seals with.
func (v keysView) removable() []string {
	ids := []string{}
	for _, k := range v.Keys {
		used := slices.ContainsFunc(v.Programs, func(p store.Program) bool { return p.Seals() == k.ID })
		if k.InRing && k.ID != v.Seals && k.Values == 0 && !used {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

func (a *app) showRotation(r rotated, v keysView) error {
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		if err := v.print(a.out); err != nil {
			return err
		}
		a.say("%s", r.words())
	}
	if r.Applied && len(r.Failed) > 0 {
		return fault.New(fault.Conflict, "%s values do not open with any key of the ring", grouped(int64(len(r.Failed)))).
			WithHint("add the key that sealed them; if it is lost: starter keys abandon %s", r.Failed[0].KeyID)
	}
	return nil
}

// words is the answer for people.
func (r rotated) words() string {
	var b strings.Builder
	switch {
	case r.Applied:
		fmt.Fprintf(&b, "%s values are sealed anew with %s", grouped(r.Resealed), r.Key)
		if r.Changed > 0 {
			fmt.Fprintf(&b, "; %s were replaced meanwhile and stayed as they are", grouped(r.Changed))
		}
	case r.Waiting == 0:
		fmt.Fprintf(&b, "everything is sealed with %s", r.Key)
	default:
		fmt.Fprintf(&b, "%s values would be sealed anew with %s", grouped(r.Waiting), r.Key)
	}
	for _, f := range r.Failed {
		fmt.Fprintf(&b, "\ndoes not open: one of %s, of %s: %s", f.What, f.Integration, f.Problem)
	}
	if len(r.Lacking) > 0 {
		fmt.Fprintf(&b, "\nthese programs could not open what %s seals: %s\nnext: put %s into their ENCRYPTION_KEYS, behind the first key, and restart them",
			r.Key, strings.Join(r.Lacking, "; "), r.Key)
		return b.String()
	}
	if len(r.Sealing) > 0 {
		fmt.Fprintf(&b, "\nthese programs still seal with another key: %s\nnext: put %s first in their ENCRYPTION_KEYS, restart them, and run this again",
			strings.Join(r.Sealing, "; "), r.Key)
		return b.String()
	}
	switch {
	case !r.Applied && r.Waiting > 0:
		b.WriteString("\nnext: starter keys rotate --apply")
	case len(r.Removable) > 0:
		fmt.Fprintf(&b, "\nnothing is sealed with %s any more\nnext: take %s out of ENCRYPTION_KEYS everywhere, and keep it with the backups that are older than now",
			strings.Join(r.Removable, ", "), theKeys(len(r.Removable)))
	}
	return b.String()
}

func theKeys(n int) string {
	if n == 1 {
		return "that key"
	}
	return "those keys"
}
