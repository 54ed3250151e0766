package main

import (
	"context"

	"slices"
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

func (a *app) eraseCommand() *cobra.Command {
	var o eraseOptions
	cmd := &cobra.Command{
		Use:   "erase [PROJECT/SOURCE] --id ID... | --email ADDRESS | --thread ID",
		Short: "Erase what somebody wants forgotten, or say what that would be",
		Long: `Says what would be erased and changes nothing; --apply does it. It cannot be undone.

--id names comments, or records by their Salesforce Ids; --thread all comments of a conversation;
--email every comment that an address sent or received. --email goes through all sources when none
is named.

Of these comments go all texts they ever had, addresses, properties, words for searching, and the
raw copies of their records. What stays is an empty row, the record's Id and state, and the AI units
with a digest of each text that was billed. The records are not taken again, whatever Salesforce has
of them and does with them: they are set aside with a reason. Tenants and followers of changes are
told that the comments are gone.

Others may name the address, too: in a text, a property or an attachment's name. The plan says
how many; --mentions erases these comments as well. Where only the raw copy of a record names
it, as in a part that was cleaned away, the copy is removed and the comment stays.

In the end every table and every raw copy is looked through for the address, and what still has
it is named. Backups keep what they hold.`,
		Example: `  starter erase --email ann@example.com
  starter erase support/salesforce-emails --email ann@example.com --mentions --apply
  starter erase support/salesforce-emails --id 02s5e00000AbCdEAAV --apply
  next: starter audit --since 1h`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.valid(args); err != nil {
				return err
			}
			return a.eraseOnRequest(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.ids, "id", nil, "id of a comment, or Salesforce Id of a record; may be repeated")
	flags.StringVar(&o.email, "email", "", "address of a sender or recipient")
	flags.StringVar(&o.thread, "thread", "", "id of a conversation")
	flags.BoolVar(&o.mentions, "mentions", false, "with --email: also comments that name it elsewhere")
	flags.BoolVar(&o.apply, "apply", false, "do it, for good")
	return cmd
}

type eraseOptions struct {
	source          string // project/source; "" = all
	ids             []string
	email, thread   string
	mentions, apply bool
}

func (o *eraseOptions) valid(args []string) error {
	given := 0
	for _, is := range []bool{len(o.ids) > 0, o.email != "", o.thread != ""} {
		if is {
			given++
		}
	}
	if len(args) == 1 {
		o.source = args[0]
	}
	switch {
	case given != 1:
		return fault.New(fault.Invalid, "one of --id, --email and --thread must be given").WithHint("without --apply it changes nothing")
	case o.source == "" && o.email == "":
		return fault.New(fault.Invalid, "--id and --thread are of one PROJECT/SOURCE").WithHint("for example: starter erase support/salesforce-emails --id %s", "02s5e00000AbCdEAAV")
	case o.mentions && o.email == "":
		return fault.New(fault.Invalid, "--mentions goes with --email")
	case o.email != "" && (len(o.email) < 5 || !strings.Contains(o.email[1:], "@") || strings.ContainsAny(o.email, " <>,;\"")):
		return fault.New(fault.Invalid, "--email: %q is no address", o.email).WithHint("write it bare, as ann@example.com")
	}
	for i, id := range o.ids {
		if whole := salesforce.To18(id); whole != "" { // any other id is a comment's
			o.ids[i] = whole
		}
	}
	return nil
}

// erasure is the answer of erase in JSON: a contract with scripts.
type erasure struct {
	Applied bool            `json:"applied"`
	Sources []erasureSource `json:"sources"`        // that have something of it
	Waiting int64           `json:"waiting"`        // records whose raw copies are in batches under way: they go with these
	Checked *store.Searched `json:"looked_through"` // of an address, after --apply
}

type erasureSource struct {
	Source   string            `json:"source"`
	Comments []string          `json:"comments"`
	Records  []string          `json:"records"`  // without a comment
	Mentions []string          `json:"mentions"` // further comments that name the address
	Copies   []store.RecordRef `json:"copies"`   // records of which the raw copy alone names it
	id       string
}

func (s erasureSource) empty() bool {
	return len(s.Comments)+len(s.Records)+len(s.Mentions)+len(s.Copies) == 0
}

func (a *app) eraseOnRequest(ctx context.Context, o eraseOptions) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	sources, err := sourcesOf(ctx, db, o.source)
	if err != nil {
		return err
	}
	result := erasure{Applied: o.apply, Sources: []erasureSource{}}
	for _, source := range sources {
		found, err := db.FindToForget(ctx, store.ForgetQuery{SourceID: source.ID, IDs: o.ids, Thread: o.thread, Address: o.email})
		if err != nil {
			return err
		}
		if len(found.Unknown) > 0 {
			return fault.New(fault.NotFound, "%s/%s has no comment or record %s", source.Project, source.Name, strings.Join(found.Unknown, ", "))
		}
		s := erasureSource{Source: source.Project + "/" + source.Name, id: source.ID, Comments: some(found.Comments), Records: some(found.Records),
			Mentions: some(found.Mentions), Copies: some(found.Copies)}
		if !s.empty() {
			result.Sources = append(result.Sources, s)
		}
	}
	if o.apply {
		for _, s := range result.Sources {
			if err := a.eraseSource(ctx, db, s, o, &result); err != nil {
				return err
			}
		}
		if o.email != "" {
			checked, err := db.Traces(ctx, o.email)
			if err != nil {
				return err
			}
			result.Checked = &checked
		}
	}
	if a.json {
		if err := a.printJSON(result); err != nil {
			return err
		}
	} else {
		a.sayErasure(result, o)
	}
	return result.problem(o)
}

// some is a list that is [] in JSON when it is empty.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// sourcesOf gives the source that is named, or all.
func sourcesOf(ctx context.Context, db *store.Store, name string) ([]store.Source, error) {
	if name != "" {
		project, source, ok := strings.Cut(name, "/")
		if !ok || project == "" || source == "" {
			return nil, fault.New(fault.Invalid, "%q is not PROJECT/SOURCE", name).WithHint("write it as support/salesforce-emails")
		}
		one, err := db.SourceByName(ctx, project, source)
		if fault.Is(err, fault.NotFound) {
			return nil, fault.New(fault.NotFound, "there is no source %s", name).WithHint("`starter list --json` names the sources that integrations feed")
		}
		if err != nil {
			return nil, err
		}
		return []store.Source{*one}, nil
	}
	projects, err := db.Projects(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(projects))
	for i, p := range projects {
		names[i] = p.Name
	}
	return db.Sources(ctx, names)
}

// eraseSource erases what was found in one source, and its raw copies.
func (a *app) eraseSource(ctx context.Context, db *store.Store, s erasureSource, o eraseOptions, result *erasure) error {
	comments := s.Comments
	if o.mentions {
		comments = append(slices.Clone(comments), s.Mentions...)
	}
	by := "id"
	switch {
	case o.email != "":
		by = "address"
	case o.thread != "":
		by = "conversation"
	}
	told := newTeller(a.talk, s.Source, "comments", int64(len(comments)))
	var done int64
	for page := range slices.Chunk(comments, store.ForgetPage) {
		if _, err := db.Forget(ctx, s.id, by, page, nil); err != nil {
			return err
		}
		done += int64(len(page))
		told.tell(done)
	}
	for page := range slices.Chunk(s.Records, store.ForgetPage) {
		if _, err := db.Forget(ctx, s.id, by, nil, page); err != nil {
			return err
		}
	}
	for page := range slices.Chunk(s.Copies, store.ForgetPage) {
		if err := db.DropCopies(ctx, s.id, by, page); err != nil {
			return err
		}
	}
	all, err := db.ListIntegrations(ctx, "")
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Project+"/"+i.Source != s.Source {
			continue
		}
		for more := true; more; {
			if more, err = db.Erase(ctx, i.ID, eraseCopies); err != nil {
				return err
			}
		}
	}
	left, err := db.ErasuresLeft(ctx, s.id)
	result.Waiting += left
	return err
}

// eraseCopies is how many batches of raw copies are rewritten before it is looked for the next.
const eraseCopies = 100

// part is how much there is of something, with words for before and after.
type part struct {
	n            int
	before, done string
}

func (s erasureSource) parts(mentions bool) []part {
	parts := []part{
		{len(s.Comments), "comments to erase", "comments are erased"},
		{len(s.Records), "records without a comment to erase", "records without a comment are erased"},
		{len(s.Mentions), "more comments name the address; --mentions erases them, too", "more comments name the address, and stay"},
		{len(s.Copies), "more records name it in their raw copies alone: these go, the comments stay", "more records named it in their raw copies alone: these are removed, the comments stay"},
	}
	if mentions {
		parts[2].before, parts[2].done = "more comments that name the address to erase", "more comments that named the address are erased"
	}
	return parts
}

func (a *app) sayErasure(r erasure, o eraseOptions) {
	if len(r.Sources) == 0 {
		a.say("no source has anything of it")
	}
	for _, s := range r.Sources {
		a.print("%s", s.Source)
		for _, p := range s.parts(o.mentions) {
			what := p.before
			if r.Applied {
				what = p.done
			}
			if p.n > 0 {
				a.print("  %6s  %s", grouped(int64(p.n)), what)
			}
		}
	}
	if r.Waiting > 0 {
		a.say("%s raw copies are in batches that are under way, and go with these within a minute", grouped(r.Waiting))
	}
	switch c := r.Checked; {
	case c != nil && len(c.Found) == 0:
		a.say("looked through %d tables and %s raw copies: the address is nowhere", c.Tables, grouped(c.Chunks))
	case c != nil:
		for _, f := range c.Found {
			a.say("still there: %s rows of %s%s", grouped(f.Rows), f.Table, whyThere[f.Table])
		}
	case !r.Applied && len(r.Sources) > 0:
		a.say("the AI units stay on the bill; Salesforce keeps what it has, and these records are not taken again\nnothing is changed yet; next: the same with --apply")
	}
}

// whyThere says what to do about an address in a table that erase leaves alone.
var whyThere = map[string]string{
	"users":             ": a user of this installation: starter user remove",
	"audit_events":      ": who did something here; the audit log is kept",
	"integrations":      ": an integration file names it",
	"integration_files": ": an earlier version of an integration file names it",
	"objects":           ": an integration file names it, or an error of Salesforce",
	"comments":          ": further comments, see --mentions",
	"revisions":         ": further comments, see --mentions",
	"comment_words":     ": further comments, see --mentions",
	"raw_chunks":        ": of further comments, see --mentions, or of batches under way",
	"staged":            ": a batch under way; look again in a minute",
	"deliveries":        ": what the tenant said last; it goes with its next answer",
}

// problem is an error when the address is still somewhere.
func (r erasure) problem(o eraseOptions) error {
	if r.Checked == nil || len(r.Checked.Found) == 0 {
		return nil
	}
	var tables []string
	for _, f := range r.Checked.Found {
		tables = append(tables, f.Table)
	}
	e := fault.New(fault.Conflict, "the address is still in %s", strings.Join(tables, ", "))
	hint := "do what was said above beside each of them, then repeat it: what is erased stays so"
	if !o.mentions {
		hint = "repeat it with --mentions, if comments that only name the address are to go, too"
	}
	if o.source != "" {
		hint += ", and without a source for all of them"
	}
	return e.WithHint("%s", hint)
}
