package soak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/simforce"
)

// start is when every script begins.
var start = time.Date(2030, 3, 4, 9, 0, 0, 0, time.UTC)

// setup is what a script begins with.
type setup struct {
	seed       uint64
	mails      int // of the simulator's own making
	notes      int
	surveys    int
	batchBytes int64

	bulkFrom, partRows int64 // from how many rows on Bulk reads, and how many a part has
	pagesAtOnce        int
	kinds              []objectSetup
	knobs              func(*simforce.Knobs)
	words              string // the knobs, for people
	hidden             []string
}

type objectSetup struct {
	kind   *kind
	where  int
	policy string
}

func makeSetup(seed uint64) setup {
	g := rand.New(rand.NewPCG(seed, 0x5e7))
	s := setup{seed: seed, mails: g.IntN(25), notes: g.IntN(8), surveys: g.IntN(8)}
	s.batchBytes = []int64{0, 0, 4_000, 20_000}[g.IntN(4)]
	for i := range kinds {
		if i > 0 && g.IntN(3) == 0 {
			continue
		}
		k := &kinds[i]
		o := objectSetup{k, g.IntN(len(k.wheres)), policies[g.IntN(len(policies))]}
		if floods(seed) {
			o.where = 0
		}
		s.kinds = append(s.kinds, o)
	}
	page := []int{0, 0, 3, 7, 40}[g.IntN(5)]
	if floods(seed) {
		page, s.batchBytes = 0, []int64{0, 2_000_000}[g.IntN(2)]
	}
	rotation := []string{"off", "on", "on", "echo"}[g.IntN(4)]
	ttl := []int{7200, 7200, 300, 30}[g.IntN(4)]
	cascade := []string{"stamp", "stamp", "keep", "drop"}[g.IntN(4)]
	if !can.tracelessDeletes {
		cascade = "stamp"
	}
	logged, quietMerge := g.IntN(2) == 0, can.quietMerge && g.IntN(4) == 0
	bulk := s.bulk()
	s.words = fmt.Sprintf("pages of %d, rotation %s, sessions of %d s, cascade %s", page, rotation, ttl, cascade)
	s.knobs = func(k *simforce.Knobs) {
		k.PageMax, k.Rotation, k.SessionTTLSeconds, k.CascadeDelete, k.HardDeletesLogged, k.QuietMerge = page, rotation, ttl, cascade, logged, quietMerge
		bulk(k)
	}
	return s
}

// bulk chooses from how many rows on loads go through the Bulk API, and how that is. What
// it draws is its own, so that the rest of a seed stays what it was.
func (s *setup) bulk() func(*simforce.Knobs) {
	g := rand.New(rand.NewPCG(s.seed, 0xb01c))
	s.bulkFrom = []int64{0, 1, 6, 15}[g.IntN(4)]
	s.partRows, s.pagesAtOnce = []int64{0, 3, 8}[g.IntN(3)], 1+g.IntN(3)
	queue, run := []float64{0, 0, 2, 45}[g.IntN(4)], []float64{0, 0, 1, 100}[g.IntN(4)]
	early, empty := []int{400, 412, 204}[g.IntN(3)], []string{"header", "blank"}[g.IntN(2)]
	keep := []int{7 * 86400, 7 * 86400, 120}[g.IntN(3)]
	failRows := []int{0, 0, 0, 5}[g.IntN(4)]
	var refused []string
	if g.IntN(6) == 0 {
		refused = []string{kinds[g.IntN(len(kinds))].name}
	}
	return func(k *simforce.Knobs) {
		k.Bulk.QueueSeconds, k.Bulk.RunSeconds, k.Bulk.Early, k.Bulk.Empty, k.Bulk.KeepSeconds, k.Bulk.FailRows, k.Bulk.Refused = queue, run, early, empty, keep, failRows, refused
	}
}

// floods reports whether 10,000 rows come in one second in the script of a seed: few do,
// because it takes its time.
func floods(seed uint64) bool { return seed%100 == 7 }

const floodRows = 10_000

var policies = []string{config.DeletedTombstone, config.DeletedKeep, config.DeletedErase}

// can says what the product is held to. Everything is on; a switch is for finding out
// which part of a script a failure is about.
var can = struct {
	tracelessDeletes bool // deletes that leave no row: purges, hard deletes, cascades without a stamp
	quietMerge       bool // children that change hands without a stamp
	sharing          bool // rows that come and go by sharing
	fieldSecurity    bool // fields that are hidden and shown again
	queryLimits      bool // queries that time out by their size
	filtered         bool // rows that leave the condition
	lateParents      bool // parents whose change commits late
	lateSameSecond   bool // a change that commits late and has the stamp that the row had before
}{tracelessDeletes: true, quietMerge: true, sharing: true, filtered: true, lateParents: true, fieldSecurity: true, queryLimits: true, lateSameSecond: true}

func (s setup) objects() []*object {
	var out []*object
	for _, k := range s.kinds {
		out = append(out, &object{kind: k.kind, where: k.kind.wheres[k.where], policy: k.policy})
	}
	return out
}

func (s setup) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d mails, %d comments, %d surveys; batches of %d bytes; bulk from %d rows in parts of %d; %s", s.mails, s.notes, s.surveys, s.batchBytes, s.bulkFrom, s.partRows, s.words)
	for _, k := range s.kinds {
		fmt.Fprintf(&b, "; %s where %q, deleted: %s", k.kind.name, k.kind.wheres[k.where].soql, k.policy)
	}
	return b.String()
}

// file is the object's part of the integration file.
func (o *object) file() config.Object {
	f := o.spec()
	f.Where, f.Deleted = o.where.soql, o.policy
	f.Properties = slices.Clone(f.Properties)
	if o.renamed {
		for i, p := range f.Properties {
			for from, to := range newNames {
				_, from, _ = strings.Cut(from, ":")
				if _, to, _ = strings.Cut(to, ":"); p.Name == from {
					f.Properties[i].Name = to
				}
			}
		}
	}
	return f
}

// populate writes what is there before the first sync.
func (r *run) populate(g *rand.Rand) {
	account, err := r.sim.CreateRecord("Account", simforce.Write{Fields: simforce.Row{"Name": "Initech"}})
	must(err, "write an account")
	for i := range 3 {
		_, err := r.sim.CreateRecord("Case", simforce.Write{Fields: simforce.Row{"Subject": fmt.Sprintf("Case %d", i), "AccountId": account["Id"],
			"Origin": "Email", "Priority": []string{"High", "Medium", "Low"}[i]}})
		must(err, "write a case")
	}
	for range 3 + g.IntN(5) {
		must(r.newMail(g, r.direct()), "write a mail")
	}
	for range r.set.notes {
		must(r.newNote(g, r.direct()), "write a comment")
	}
	for range r.set.surveys {
		must(r.newSurvey(g, r.direct()), "write a survey")
	}
	r.look()
	// What is there before may be as old as it likes.
	r.pass(time.Duration(g.IntN(3)) * 11 * time.Minute)
}
