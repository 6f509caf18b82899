package engine_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/engine/sim"
)

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// rechain numbers and chains records anew, as anybody can who has the program.
func rechain(lines []string) []byte {
	prev := strings.Repeat("0", 64)
	var out bytes.Buffer
	for i, line := range lines {
		var rec engine.Record
		check(json.Unmarshal([]byte(line), &rec))
		rec.N, rec.Prev = int64(i+1), prev
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		check(enc.Encode(rec))
		sum := sha256.Sum256(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
		prev = hex.EncodeToString(sum[:])
		out.Write(buf.Bytes())
	}
	return out.Bytes()
}

// forged is one class of what can be done to a run behind its back.
type forged struct {
	name string
	// do changes the folder. lines are the records, without newlines.
	do func(env engine.Env, dir string, lines []string)
	// What verify says of a run without a seal, and of a sealed one.
	open, sealed     string
	openAt, sealedAt int // the record it names
}

func journalWith(env engine.Env, dir string, data []byte) {
	check(env.FS.WriteFile(dir+"/journal.jsonl", data, 0o600))
}

func plain(lines []string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }

var edit = strings.NewReplacer(`"vm.start"`, `"vm.stopp"`)

// forgeries are the classes of edits; the run has 8 records: head, attempt, facts, intent, outcome, step, result, end.
var forgeries = []forged{
	{"nothing", func(engine.Env, string, []string) {}, "open", "sealed", 0, 0},
	{"a record is changed", func(env engine.Env, dir string, lines []string) {
		lines[3] = edit.Replace(lines[3])
		journalWith(env, dir, plain(lines))
	}, "broken", "broken", 5, 5},
	{"a record is removed", func(env engine.Env, dir string, lines []string) {
		journalWith(env, dir, plain(slices.Delete(lines, 4, 5)))
	}, "broken", "broken", 5, 5},
	{"a record is doubled", func(env engine.Env, dir string, lines []string) {
		journalWith(env, dir, plain(slices.Insert(lines, 4, lines[3])))
	}, "broken", "broken", 5, 5},
	{"two records change places", func(env engine.Env, dir string, lines []string) {
		lines[3], lines[4] = lines[4], lines[3]
		journalWith(env, dir, plain(lines))
	}, "broken", "broken", 4, 4},
	{"the end is cut off", func(env engine.Env, dir string, lines []string) {
		journalWith(env, dir, plain(lines[:6]))
	}, "open", "broken", 0, 7},
	{"the last record is torn", func(env engine.Env, dir string, lines []string) {
		whole := plain(lines)
		journalWith(env, dir, whole[:len(whole)-4])
	}, "open", "broken", 0, 8},
	{"the end is extended", func(env engine.Env, dir string, lines []string) {
		journalWith(env, dir, rechain(append(lines, `{"kind":"note","note":"all was well"}`)))
	}, "open", "broken", 0, 9},
	{"something without a newline is behind it", func(env engine.Env, dir string, lines []string) {
		journalWith(env, dir, append(plain(lines), "{"...))
	}, "open", "broken", 0, 9},
	{"the chain is computed anew after a change", func(env engine.Env, dir string, lines []string) {
		lines[3] = edit.Replace(lines[3])
		journalWith(env, dir, rechain(lines))
	}, "open", "broken", 0, 8},
	{"the chain is computed anew after a removal", func(env engine.Env, dir string, lines []string) {
		journalWith(env, dir, rechain(slices.Delete(lines, 3, 5)))
	}, "open", "broken", 0, 7},
	{"the plan's text is changed", func(env engine.Env, dir string, lines []string) {
		check(env.FS.WriteFile(dir+"/plan/plan.lua", []byte("return 2"), 0o600))
	}, "broken", "broken", 1, 1},
	{"the plan's text is gone", func(env engine.Env, dir string, lines []string) {
		check(env.FS.Remove(dir + "/plan/plan.lua"))
	}, "broken", "broken", 1, 1},
	{"the report is changed", func(env engine.Env, dir string, lines []string) {
		check(env.FS.WriteFile(dir+"/report.json", []byte("{}"), 0o600))
	}, "open", "broken", 0, 0},
	{"the journal is empty", func(env engine.Env, dir string, lines []string) { journalWith(env, dir, nil) }, "broken", "broken", 1, 1},
}

// sealedRun makes a run that has ended, sealed where there is a key.
func sealedRun(env engine.Env, key ed25519.PrivateKey) *engine.Run {
	options := []engine.Option{}
	if key != nil {
		options = append(options, engine.WithSigner(key))
	}
	r := must(engine.CreateRun(env, state, engine.Head{Plan: "p"}, map[string][]byte{"plan.lua": []byte("return 1")}, options...))
	check(r.SetFacts(map[string]any{"vms": 1}))
	must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
	_ = must(r.Durable(background, engine.Durable{Key: "k"}, func(contextT, bool) (any, error) { return 1, nil }))
	check(r.End("done", 0, map[string]bool{"ok": true}))
	return r
}

// TestVerify makes each class of edit to a sealed run and to one without a seal.
func TestVerify(t *testing.T) {
	key := keyOf(1)
	for _, f := range forgeries {
		for _, sealed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sealed %v", f.name, sealed), func(t *testing.T) {
				inWorld(t, 1, func(_ *sim.World, env engine.Env) {
					want, at := f.open, f.openAt
					var signer ed25519.PrivateKey
					if sealed {
						want, at, signer = f.sealed, f.sealedAt, key
					}
					r := sealedRun(env, signer)
					f.do(env, r.Dir(), strings.Split(strings.TrimSuffix(string(must(env.FS.ReadFile(journalOf(r)))), "\n"), "\n"))
					v := must(engine.Verify(env, r.Dir(), publicOf(key)))
					if v.State != want || v.Record != int64(at) || v.Reason == "" {
						t.Errorf("%s at record %d (%s), want %s at record %d", v.State, v.Record, v.Reason, want, at)
					}
				})
			})
		}
	}
}

// TestVerifySeal is about the seal itself.
func TestVerifySeal(t *testing.T) {
	key, other := keyOf(1), keyOf(2)
	for _, tt := range []struct {
		name    string
		do      func(env engine.Env, r *engine.Run)
		trusted []ed25519.PublicKey
		want    string
		reason  string
	}{
		{"trusted", func(engine.Env, *engine.Run) {}, []ed25519.PublicKey{publicOf(other), publicOf(key)}, "sealed", "all 8 records"},
		{"nobody says whom to trust", func(engine.Env, *engine.Run) {}, nil, "open", "which key to trust is not known"},
		{"another key", func(engine.Env, *engine.Run) {}, []ed25519.PublicKey{publicOf(other)}, "broken", "none of the trusted ones"},
		{"a whole older copy", func(env engine.Env, r *engine.Run) { // which is what it was: the attempt tells it apart
			kept := map[string][]byte{}
			for _, name := range []string{"journal.jsonl", "seal.json", "report.json"} {
				kept[name] = must(env.FS.ReadFile(r.Dir() + "/" + name))
			}
			check(must(engine.OpenRun(env, state, r.ID(), engine.WithSigner(key))).End("done", 0, nil))
			if v := must(engine.Verify(env, r.Dir(), publicOf(key))); v.Attempt != 2 || v.Ended != "done" {
				t.Errorf("attempt %d, %s", v.Attempt, v.Ended)
			}
			for name, text := range kept {
				check(env.FS.WriteFile(r.Dir()+"/"+name, text, 0o600))
			}
			if v := must(engine.Verify(env, r.Dir(), publicOf(key))); v.Attempt != 1 {
				t.Errorf("attempt %d", v.Attempt)
			}
		}, []ed25519.PublicKey{publicOf(key)}, "sealed", "all 8 records"},
		{"it is gone", func(env engine.Env, r *engine.Run) { check(env.FS.Remove(r.Dir() + "/seal.json")) }, []ed25519.PublicKey{publicOf(key)}, "open", "it has no seal"},
		{"it is no seal", func(env engine.Env, r *engine.Run) {
			check(env.FS.WriteFile(r.Dir()+"/seal.json", []byte("{}"), 0o600))
		}, []ed25519.PublicKey{publicOf(key)}, "broken", "cannot be read"},
		{"its count was changed", func(env engine.Env, r *engine.Run) {
			text := string(must(env.FS.ReadFile(r.Dir() + "/seal.json")))
			check(env.FS.WriteFile(r.Dir()+"/seal.json", []byte(strings.Replace(text, `"records": 8`, `"records": 7`, 1)), 0o600))
		}, []ed25519.PublicKey{publicOf(key)}, "broken", "signature"},
		{"of another run", func(env engine.Env, r *engine.Run) {
			wait(env, 1)
			another := sealedRun(env, key)
			check(env.FS.WriteFile(r.Dir()+"/seal.json", must(env.FS.ReadFile(another.Dir()+"/seal.json")), 0o600))
		}, []ed25519.PublicKey{publicOf(key)}, "broken", "is not the one that was sealed"},
		{"an attempt without a key came after it", func(env engine.Env, r *engine.Run) {
			again := must(engine.OpenRun(env, state, r.ID()))
			check(again.End("done", 0, nil))
		}, []ed25519.PublicKey{publicOf(key)}, "open", "covers the first 8"},
		{"the next attempt seals too", func(env engine.Env, r *engine.Run) {
			again := must(engine.OpenRun(env, state, r.ID(), engine.WithSigner(key)))
			check(again.End("done", 0, nil))
		}, []ed25519.PublicKey{publicOf(key)}, "sealed", "all 10 records"},
		{"while the next attempt runs", func(env engine.Env, r *engine.Run) {
			again := must(engine.OpenRun(env, state, r.ID(), engine.WithSigner(key)))
			check(again.Close())
		}, []ed25519.PublicKey{publicOf(key)}, "open", "covers the first 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, 1, func(_ *sim.World, env engine.Env) {
				r := sealedRun(env, key)
				tt.do(env, r)
				v := must(engine.Verify(env, r.Dir(), tt.trusted...))
				if v.State != tt.want || !strings.Contains(v.Reason, tt.reason) {
					t.Errorf("%s: %s; want %s: %s", v.State, v.Reason, tt.want, tt.reason)
				}
			})
		})
	}
}

// TestEveryByteIsSealed changes each byte of all that is sealed, one at a time, and takes each one away.
func TestEveryByteIsSealed(t *testing.T) {
	inWorld(t, 1, func(_ *sim.World, env engine.Env) {
		key := keyOf(1)
		r := sealedRun(env, key)
		edits := 0
		for _, name := range []string{"journal.jsonl", "report.json", "plan/plan.lua"} {
			path := r.Dir() + "/" + name
			data := must(env.FS.ReadFile(path))
			for i := range data {
				for _, changed := range [][]byte{
					append(append(slices.Clone(data[:i]), data[i]^1), data[i+1:]...),
					append(slices.Clone(data[:i]), data[i+1:]...),
				} {
					edits++
					check(env.FS.WriteFile(path, changed, 0o600))
					if v := must(engine.Verify(env, r.Dir(), publicOf(key))); v.State != engine.VerifiedBroken {
						t.Errorf("%s, byte %d: %s (%s)", name, i, v.State, v.Reason)
					}
				}
			}
			check(env.FS.WriteFile(path, data, 0o600))
		}
		if v := must(engine.Verify(env, r.Dir(), publicOf(key))); v.State != engine.VerifiedSealed {
			t.Errorf("restored: %+v", v)
		}
		t.Logf("%d edits", edits)
	})
}
