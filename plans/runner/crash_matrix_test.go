package runner_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

var (
	crashMode  = flag.String("crash", "sample", "crash points: sample, or all of them with all pairs of two kills")
	crashSize  = flag.Int("crash-points", 30, "how many single kills a sample of each of the three ways has on which the VMs move; other actions have two fifths of that")
	crashPairs = flag.Int("crash-pairs", 6, "how many pairs of kills a sample has")
	crashWorld = flag.Int("world", 0, "VMs of the crash matrix's world, 3 or 60; 0 means 3, and with -crash all both")
	crashSeed  = flag.Uint64("crash-seed", 1, "order in which pairs of kills are played, and which ones are sampled")
	crashFor   = flag.Duration("crash-for", 0, "begin no pair of kills later than that after the start; 0 means no limit")
	crashOnly  = flag.String("crash-story", "", "play this action only")
)

// smallWorld and largeWorld are the worlds of the matrix.
var (
	smallWorld = lab.TwoSitesOptions{VMs: 3, Domains: 2}
	largeWorld = lab.TwoSitesOptions{VMs: 60, Domains: 4}
)

// largePoints is how many points of the large world are played.
const largePoints = 204

// crashMatrix plays one story with kills.
type crashMatrix struct {
	crashStory
	size  lab.TwoSitesOptions
	want  outcome
	rows  *figures
	world string
}

// TestCrashMatrix kills drrun after each record, after each effect that reached an engine and after each effect of a hook, before that is
// recorded, with and without loss of what was not synced, and a second time while it resumes. It resumes, and compares the world with
// that of an undisturbed action, the log of the engines with the journal, and the runs of the hooks with what a hook may do.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	rows := newFigures("action", "world", "killed")
	t.Run("played", func(t *testing.T) {
		for _, story := range crashStories() {
			if *crashOnly != "" && story.name != *crashOnly {
				continue
			}
			for _, size := range crashSizes() {
				if size == largeWorld && !story.main {
					continue
				}
				m := &crashMatrix{crashStory: story, size: size, rows: rows, world: fmt.Sprintf("%d VMs", size.VMs)}
				t.Run(story.name+" "+m.world, func(t *testing.T) {
					t.Parallel()
					m.play(t, begun)
				})
			}
		}
	})
	rows.report(t, "crash matrix")
}

func crashSizes() []lab.TwoSitesOptions {
	switch {
	case *crashWorld == 60:
		return []lab.TwoSitesOptions{largeWorld}
	case *crashMode == "all" && *crashWorld == 0:
		return []lab.TwoSitesOptions{smallWorld, largeWorld}
	}
	return []lab.TwoSitesOptions{smallWorld}
}

func (m *crashMatrix) play(t *testing.T, begun time.Time) {
	var n passed
	m.want, n = m.undisturbed(t, m.size, func(*lab.World) {})
	t.Logf("the undisturbed run: %+v", n)
	singles := n.points()
	switch {
	case m.size == largeWorld:
		singles = n.spread(largePoints)
	case *crashMode != "all":
		singles = n.spread(*crashSize)
		if !m.main {
			singles = n.spread(*crashSize * 2 / 5)
		}
	}
	var mu sync.Mutex
	resumed := map[crashPoint]passed{}
	inParallel(t, "one kill", singles, func(t *testing.T, point crashPoint) {
		after, asked := m.kill(t, false, point)
		if asked {
			m.kill(t, true, point)
		}
		mu.Lock()
		resumed[point] = after
		mu.Unlock()
	})
	if m.size == largeWorld || t.Failed() {
		return
	}
	pairs := m.pairs(singles, resumed)
	limit := len(pairs)
	switch {
	case *crashMode != "all":
		limit = *crashPairs
	case !m.main:
		limit = 200
	}
	var late int
	inParallel(t, "two kills", pairs[:min(limit, len(pairs))], func(t *testing.T, pair [2]crashPoint) {
		if *crashFor > 0 && time.Since(begun) > *crashFor {
			mu.Lock()
			late++
			mu.Unlock()
			return
		}
		m.kill(t, false, pair[0], pair[1])
	})
	if late > 0 {
		m.rows.of(m.name, m.world, secondKill).left = late
	}
}

// secondKill is the row of the pairs.
const secondKill = "a second time during the resume"

// pairs are all pairs of two kills, in an order drawn from the seed: the second at each moment of the resume after the first. Power is
// lost with none of the two, with the first, the second or both in turn.
func (m *crashMatrix) pairs(singles []crashPoint, resumed map[crashPoint]passed) (pairs [][2]crashPoint) {
	for i, first := range singles {
		whole, torn := first, first
		whole.torn, torn.torn = false, true
		if _, both := resumed[whole]; both && first.torn { // the other one of the two brings the pairs of both
			continue
		}
		for j, second := range resumed[whole].atMost(resumed[torn]).moments() {
			first.torn, second.torn = (i+j)%2 == 1, (i+j)/2%2 == 1
			pairs = append(pairs, [2]crashPoint{first, second})
		}
	}
	random := rand.New(rand.NewPCG(*crashSeed, 1))
	random.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	return pairs
}

// nobodyThere is said of a kill that cut a hook of which a person is to be asked, when first nobody is there.
const nobodyThere = ", nobody there to ask"

// kill plays the story with kills at these points, one after the other in as many attempts, and compares what is left. With nobody it is
// resumed once without anybody who answers before. It returns what the first resume passed, and whether a person is to be asked in it.
func (m *crashMatrix) kill(t *testing.T, nobody bool, points ...crashPoint) (resumed passed, asks bool) {
	p := m.ready(t, m.size, func(*lab.World) {})
	defer p.world.Close()
	written, row := m.kept(p), points[0].kind()
	for i, point := range points {
		died := p.arm(point)
		r := m.goOn(p)
		switch {
		case !*died && i == 0:
			t.Errorf("%s: it was over before: exit %d", point, r.Exit)
			return resumed, false
		case !*died: // the resume has fewer moments after this first kill: what it came to is compared all the same
			row = ""
		case i > 0:
			row = secondKill
		}
		asked := m.killed(p)
		asks = asks || len(asked) > 0
		if nobody {
			row += nobodyThere
			m.nobodyAnswers(p, asked)
		}
	}
	p.disarm()
	p.count()
	r := m.untilEnd(p)
	resumed = p.counted()
	different := m.differences(p, r, m.want, written)
	for _, text := range different {
		t.Errorf("killed %s: %s", words(points), text)
	}
	if row != "" {
		m.rows.add(r.Exit == runner.ExitDone, len(different) > 0, m.name, m.world, row)
	}
	return resumed, asks
}

func words(points []crashPoint) string {
	texts := make([]string, len(points))
	for i, point := range points {
		texts[i] = point.String()
	}
	return strings.Join(texts, ", then ")
}

// killed tells the oracle of the hooks what a kill left in the journal. It returns the hooks that a person is to be asked about.
func (s crashStory) killed(p *pair) (asked []string) {
	newest := p.newestOf(s.action)
	if newest == nil { // killed before its first whole record
		return nil
	}
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, p.state(), newest.ID)
		if err != nil {
			p.t.Error(err)
			return
		}
		asked = p.hooks.killed(info.Records)
	})
	return asked
}

// nobodyAnswers resumes where a hook was cut that a person is to be asked about, and nobody is there: it ends with 5, the hook does not
// run, and where the hook is one of a whole group, nothing else is done.
func (m *crashMatrix) nobodyAnswers(p *pair, asked []string) {
	ran, changes := map[string]int{}, len(p.changes())
	for _, key := range asked {
		ran[key] = p.hooks.ran[key]
	}
	p.hooks.silent = true
	r := m.goOn(p)
	p.hooks.silent = false
	if r.Exit != runner.ExitStopped {
		p.hooks.wrong = append(p.hooks.wrong, fmt.Sprintf("nobody answers for %v: exit %d (%s) %+v", asked, r.Exit, r.Status, r.Error))
	}
	for key, n := range ran {
		if p.hooks.ran[key] != n {
			p.hooks.wrong = append(p.hooks.wrong, key+" ran, and nobody had answered")
		}
		if now := len(p.changes()); strings.Contains(key, "/group/") && now != changes {
			p.hooks.wrong = append(p.hooks.wrong, fmt.Sprintf("%d changes while nobody answers for %s", now-changes, key))
		}
	}
}

// chunks is in how many subtests cases are played at most: few enough not to drown a reader in them, many enough to keep all cores busy.
const chunks = 60

// inParallel plays cases in subtests of several each, and returns when all are done. It begins no further one once many are wrong.
func inParallel[T any](t *testing.T, name string, cases []T, play func(t *testing.T, one T)) {
	var mu sync.Mutex
	wrong := 0
	size := 1 + len(cases)/chunks
	t.Run(name, func(t *testing.T) {
		for from := 0; from < len(cases); from += size {
			part := cases[from:min(from+size, len(cases))]
			t.Run(fmt.Sprintf("from %d", from+1), func(t *testing.T) {
				t.Parallel()
				for _, one := range part {
					mu.Lock()
					many := wrong > 10
					mu.Unlock()
					if many {
						return // what is wrong with those is to be seen first; the test has failed
					}
					failed := t.Failed()
					play(t, one)
					if t.Failed() && !failed {
						mu.Lock()
						wrong++
						mu.Unlock()
					}
				}
			})
		}
	})
}
