package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"salesforcesync/internal/devstack"
)

//go:embed curl.sh
var curlScript string

//go:embed jsforce.cjs
var jsforceScript string

// jsforceVersion is the one that the proofs of the simulator use, too.
const jsforceVersion = "3.9.5"

// drain is the ceiling: four jobs, two at a time, whose results nobody looks at.
func (g *ground) drain(ctx context.Context, give func(string, result)) error {
	const parts, atOnce = 4, 2
	b, err := g.bulk(ctx)
	if err != nil {
		return err
	}
	first, err := b.edge(ctx, "ASC")
	if err != nil {
		return err
	}
	last, err := b.edge(ctx, "DESC")
	if err != nil {
		return err
	}
	var read [parts]int64
	r, err := g.measured(ctx, func() error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for i := range parts {
			soql := mailQuery
			step := last.Sub(first) / parts
			if i > 0 {
				soql += " AND CreatedDate >= " + first.Add(step*time.Duration(i)).Format(soqlTime)
			}
			if i < parts-1 {
				soql += " AND CreatedDate < " + first.Add(step*time.Duration(i+1)).Format(soqlTime)
			}
			group.Go(func() error {
				job, err := b.create(ctx, soql)
				for locator := ""; err == nil && locator != "null"; {
					locator, err = b.page(ctx, job, locator, 4000, func(body io.Reader) error {
						n, err := io.Copy(io.Discard, body)
						read[i] += n
						return err
					})
				}
				if err != nil {
					return err
				}
				return b.remove(ctx, job)
			})
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	var sum int64
	for _, n := range read {
		sum += n
	}
	if sum < g.csvSize {
		return fmt.Errorf("%d bytes were drained of %d", sum, g.csvSize)
	}
	give("drain", r)
	return nil
}

const soqlTime = "2006-01-02T15:04:05Z"

// edge is the first or last CreatedDate.
func (b *bulk) edge(ctx context.Context, direction string) (time.Time, error) {
	var answer struct {
		Records []struct{ CreatedDate string }
	}
	err := callJSON(ctx, "GET", b.base+"/query?q="+url.QueryEscape("SELECT CreatedDate FROM EmailMessage ORDER BY CreatedDate "+direction+" LIMIT 1"), b.token, nil, &answer)
	if err == nil && len(answer.Records) == 0 {
		err = errors.New("there are no mails")
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse("2006-01-02T15:04:05.000-0700", answer.Records[0].CreatedDate)
}

// columns are those of the CSV, quoted for SQL.
func (g *ground) columns() ([]string, error) {
	f, err := os.Open(g.csv)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimRight(head, "\r\n"), ",") {
		names = append(names, `"`+strings.Trim(name, `"`)+`"`)
	}
	return names, nil
}

// texts declares columns as text, with a compression when there is one.
func texts(columns []string, compression string) string {
	if compression != "" {
		compression = " compression " + compression
	}
	return strings.Join(columns, " text"+compression+", ") + " text" + compression
}

// copyRaw loads the CSV as it is into one table without an index.
func copyRaw(compression string) func(*ground, context.Context, func(string, result)) error {
	return func(g *ground, ctx context.Context, give func(string, result)) error {
		if compression == "lz4" && !g.lz4 {
			return nil // said at the end
		}
		columns, err := g.columns()
		if err != nil {
			return err
		}
		if _, err := g.sql(ctx, "", "create table raw ("+texts(columns, compression)+")"); err != nil {
			return err
		}
		r, err := g.measured(ctx, func() error {
			_, err := g.sql(ctx, "", `\copy raw from '`+g.csv+`' with (format csv, header)`)
			return err
		})
		if err != nil {
			return err
		}
		if err := g.expectRows(ctx, "", "raw"); err != nil {
			return err
		}
		give(compression, r)
		_, err = g.sql(ctx, "", "drop table raw")
		return err
	}
}

// expectRows sees to it that a table has all mails.
func (g *ground) expectRows(ctx context.Context, database, table string) error {
	n, err := g.sql(ctx, database, "select count(*) from "+table)
	if err == nil && n != fmt.Sprint(g.total) {
		err = fmt.Errorf("table %s has %s rows, not %d", table, n, g.total)
	}
	return err
}

// finishedTables are what a load fills: the comments, their texts, what is known of each record, and the bill.
var finishedTables = []string{"comments", "revisions", "records", "ledger"}

func (g *ground) finishedFile(table string) string {
	return filepath.Join(g.folder, table+".copy")
}

// export writes the finished rows of a load into files, once.
func (g *ground) export(ctx context.Context, database string) error {
	if g.finished {
		return nil
	}
	for _, table := range finishedTables {
		if _, err := g.sql(ctx, database, `\copy `+table+` to '`+g.finishedFile(table)+`'`); err != nil {
			return err
		}
	}
	g.finished = true
	return nil
}

// copyFinished is the database's limit: rows that need no more work, into tables with the same
// columns, indexes and checks as ours, all four at once.
func (g *ground) copyFinished(ctx context.Context, give func(string, result)) error {
	if !g.finished {
		return errors.New("there are no finished rows: they come from row ours")
	}
	setup := []string{"create schema bare"}
	for _, table := range finishedTables {
		setup = append(setup, "create table bare."+table+" (like public."+table+" including all)")
	}
	if _, err := g.sql(ctx, shapeDatabase, setup...); err != nil {
		return err
	}
	r, err := g.measured(ctx, func() error {
		group, ctx := errgroup.WithContext(ctx)
		for _, table := range finishedTables {
			group.Go(func() error {
				_, err := g.sql(ctx, shapeDatabase, `\copy bare.`+table+` from '`+g.finishedFile(table)+`'`)
				return err
			})
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	give("finished", r)
	_, err = g.sql(ctx, shapeDatabase, "drop schema bare cascade")
	return err
}

// jsforce has the usual client of Salesforce's own world write the query to a file.
func (g *ground) jsforce(ctx context.Context, give func(string, result)) error {
	dir, err := g.tools.NodePackage(ctx, "jsforce", jsforceVersion)
	if err != nil {
		return err
	}
	script := filepath.Join(g.folder, "jsforce.cjs")
	if err := os.WriteFile(script, []byte(jsforceScript), 0o600); err != nil {
		return err
	}
	b, err := g.bulk(ctx)
	if err != nil {
		return err
	}
	target := filepath.Join(g.folder, "jsforce.csv")
	given, err := json.Marshal(map[string]string{
		"url": g.simURL, "token": b.token, "version": strings.TrimPrefix(path.Base(b.base), "v"), "query": mailQuery, "file": target,
	})
	if err != nil {
		return err
	}
	r, err := g.measured(ctx, func() error {
		cmd := exec.CommandContext(ctx, "node", script, string(given))
		cmd.Env = append(devstack.BareEnvironment(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("node: %w\n%s", err, out)
		}
		return nil
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	if info.Size() != g.csvSize {
		r.notes = append(r.notes, fmt.Sprintf("jsforce wrote %d bytes of %d", info.Size(), g.csvSize))
	}
	give("jsforce", r)
	return os.Remove(target)
}

// curl is the chain of tools that everybody has, twice: into an empty table, and again with nothing changed.
func (g *ground) curl(ctx context.Context, give func(string, result)) error {
	columns, err := g.columns()
	if err != nil {
		return err
	}
	b, err := g.bulk(ctx)
	if err != nil {
		return err
	}
	folder := filepath.Join(g.folder, "curl")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	query, err := json.Marshal(map[string]string{"operation": "query", "query": mailQuery})
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"chain.sh": curlScript, "auth": "Authorization: Bearer " + b.token, "query.json": string(query), "merge.sql": mergeSQL(columns),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	const database = "curl"
	if _, err := g.sql(ctx, "", "create database "+database); err != nil {
		return err
	}
	if _, err := g.sql(ctx, database,
		"create unlogged table arrived ("+texts(columns, "")+")",
		"create table mails ("+texts(columns, "")+`, hash text not null, primary key ("Id"))`); err != nil {
		return err
	}
	env, err := g.pg.ClientEnvironment(database)
	if err != nil {
		return err
	}
	var written string
	for _, key := range []string{"curl", "curl-again"} {
		r, err := g.measured(ctx, func() error {
			cmd := exec.CommandContext(ctx, "sh", filepath.Join(folder, "chain.sh"), b.base, filepath.Join(folder, "auth"), folder, filepath.Join(folder, "query.json"))
			cmd.Env = env
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("curl chain: %w\n%s", err, out)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := g.expectRows(ctx, database, "mails"); err != nil {
			return err
		}
		// Which transaction wrote the rows: the second pass must have been one without changes.
		before := written
		if written, err = g.sql(ctx, database, "select max(xmin::text::bigint) from mails"); err != nil {
			return err
		}
		if before != "" && before != written {
			return errors.New("the unchanged pass wrote rows")
		}
		give(key, r)
	}
	_, err = g.sql(ctx, "", "drop database "+database)
	return err
}

// mergeSQL writes what has arrived where its hash differs.
func mergeSQL(columns []string) string {
	var set []string
	for _, c := range columns {
		set = append(set, c+" = excluded."+c)
	}
	list := strings.Join(columns, ", ")
	return "insert into mails as m (" + list + ", hash)\n" +
		"select " + list + ", md5(a::text) from arrived a\n" +
		`on conflict ("Id") do update set ` + strings.Join(set, ", ") + ", hash = excluded.hash\n" +
		"where m.hash <> excluded.hash;\n"
}
