// Package graph draws the order in which the VMs of a plan start or stop: as text, as DOT for Graphviz, and as SVG.
package graph

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"drrun/plans"
	"drrun/plans/report"
)

// Options say what is drawn.
type Options struct {
	// All shows every VM, also of a rank with more than MostShown.
	All bool
	// Stop draws the order in which a planned move shuts the VMs down, instead of that in which they start.
	Stop bool
}

// MostShown is how many VMs of a rank are shown one by one; a larger rank is summed up.
const MostShown = 60

// mostGroups is how many groups of VMs stand for a large rank.
const mostGroups = 8

// Drawing is an order as it is drawn.
type Drawing struct {
	Title string   `json:"title"`
	Notes []string `json:"notes"` // what holds for all of it
	Bands []Band   `json:"ranks"` // in the order of time
	Edges []Edge   `json:"edges"`
}

// Band is a rank. Rows follow each other; what is in one row starts, or stops, at the same time.
type Band struct {
	Rank int      `json:"rank"`
	Note string   `json:"note"`
	Rows [][]Node `json:"rows"`
}

// The kinds of a node.
const (
	KindStarts  = "starts"
	KindStays   = "stays_down"
	KindUnknown = "unknown" // whether it starts is not known yet
	KindStops   = "stops"
)

// Node is a VM, or several of a large rank.
type Node struct {
	ID       string   `json:"id"` // in the drawing
	Name     string   `json:"name"`
	VMs      int      `json:"vms"`
	Kind     string   `json:"kind"`
	Required bool     `json:"required,omitempty"`
	Details  []string `json:"details"`
	After    []string `json:"after,omitempty"` // names, as the plan has them
}

// Edge leads from what has to be done first. Count is how many orders of single VMs it stands for.
type Edge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Count int    `json:"count"`
}

// Draw makes the drawing of a boot order.
func Draw(order *plans.BootOrder, o Options) Drawing {
	d := &drawing{order: order, options: o, node: map[*plans.BootVM]string{}, summed: map[int]bool{}}
	d.head()
	ranks := slices.Clone(order.Ranks)
	if o.Stop {
		slices.Reverse(ranks)
	}
	for _, rank := range ranks {
		d.out.Bands = append(d.out.Bands, d.band(rank))
	}
	d.edges()
	d.out.printable()
	return d.out
}

// printable takes out what a terminal, a label or XML would not show as itself: names of VMs come from elsewhere.
func (d *Drawing) printable() {
	clean := func(text string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
				return '?'
			}
			return r
		}, strings.ToValidUTF8(text, "?"))
	}
	cleanAll := func(texts []string) {
		for i := range texts {
			texts[i] = clean(texts[i])
		}
	}
	d.Title = clean(d.Title)
	cleanAll(d.Notes)
	for _, band := range d.Bands {
		for _, row := range band.Rows {
			for i := range row {
				row[i].Name = clean(row[i].Name)
				cleanAll(row[i].Details)
				cleanAll(row[i].After)
			}
		}
	}
}

type drawing struct {
	order   *plans.BootOrder
	options Options
	node    map[*plans.BootVM]string // the node that stands for a VM
	summed  map[int]bool             // ranks of which not every VM is drawn
	made    int
	out     Drawing
}

func (d *drawing) nextID() string {
	d.made++
	return fmt.Sprintf("n%d", d.made)
}

func (d *drawing) head() {
	var yes, no, unknown int
	for _, rank := range d.order.Ranks {
		y, n, u := rank.Starting()
		yes, no, unknown = yes+y, no+n, unknown+u
	}
	verb, points := "boot order at "+d.order.Target, []string{"before_rank", "after_rank"}
	if d.options.Stop {
		verb, points = "shutdown order of a planned move at "+d.order.Source, []string{"before_stop", "after_stop"}
	}
	d.out.Title = d.order.Plan.Name + ": " + verb
	counts := []string{report.Count(len(d.order.VMs), "VM") + " in " + report.Count(len(d.order.Ranks), "rank")}
	if d.options.Stop {
		counts = append(counts, "what runs then is shut down")
	} else {
		counts = append(counts, fmt.Sprintf("%d to start", yes))
		if no > 0 {
			counts = append(counts, fmt.Sprintf("%d to stay down", no))
		}
		if unknown > 0 {
			counts = append(counts, fmt.Sprintf("of %d it is not known yet", unknown))
		}
	}
	d.out.Notes = []string{strings.Join(counts, ", ")}
	for _, point := range points {
		for _, hook := range d.order.Plan.HooksAt(point) {
			d.out.Notes = append(d.out.Notes, fmt.Sprintf("%s: hook %s (%s:%d)", point, hook.Handler, hook.Pos.File, hook.Pos.Line))
		}
	}
	action := plans.ActionFailover
	if d.order.Target == plans.Primary {
		action = plans.ActionFailback
	}
	if own := d.order.Plan.Workflows[action]; own != nil {
		d.out.Notes = append(d.out.Notes, fmt.Sprintf("the plan has a %s of its own (%s:%d): this holds where that calls the built-in stages", action, own.Pos().File, own.Pos().Line))
	}
}

func (d *drawing) band(rank plans.BootRank) Band {
	band := Band{Rank: rank.Number}
	if rank.Begins > 0 && !d.options.Stop {
		band.Note = "not before " + plans.DurationText(rank.Begins) + " by the delays before it"
	}
	if len(rank.VMs) > MostShown && !d.options.All {
		d.summed[rank.Number] = true
		band.Rows = [][]Node{d.groups(rank.VMs)}
		return band
	}
	rows := map[int][]Node{}
	last := 0
	for _, vm := range rank.VMs {
		wave := vm.Wave
		if d.options.Stop {
			wave = vm.StopWave
		}
		last = max(last, wave)
		rows[wave] = append(rows[wave], d.one(vm))
	}
	for wave := range last + 1 {
		if len(rows[wave]) > 0 {
			band.Rows = append(band.Rows, rows[wave])
		}
	}
	return band
}

func (d *drawing) one(vm *plans.BootVM) Node {
	node := Node{ID: d.nextID(), Name: vm.Name, VMs: 1, Kind: d.kind(vm), Required: vm.Required, Details: d.details(vm)}
	for _, before := range vm.Preceding {
		switch {
		case d.options.Stop:
		case d.orders(before, vm):
			node.After = append(node.After, before.Name)
		case node.Kind != KindStays:
			node.Details = append(node.Details, "after "+before.Name+" without effect, since that stays down")
		}
	}
	d.node[vm] = node.ID
	return node
}

// orders tells whether an after entry has an effect: who stays down waits for nobody, and nobody waits for it.
func (d *drawing) orders(before, vm *plans.BootVM) bool {
	return d.kind(before) != KindStays && d.kind(vm) != KindStays
}

func (d *drawing) kind(vm *plans.BootVM) string {
	switch {
	case d.options.Stop:
		if vm.Known.Ran == plans.RanDown {
			return KindStays
		}
		return KindStops
	case vm.Starts == plans.StartsNo:
		return KindStays
	case vm.Starts == plans.StartsUnknown:
		return KindUnknown
	}
	return KindStarts
}

// details tell of a VM what decides when the next ones go on.
func (d *drawing) details(vm *plans.BootVM) []string {
	switch kind := d.kind(vm); {
	case kind == KindStays && d.options.Stop:
		return []string{"was down when the inventory was taken"}
	case kind == KindStays:
		return []string{"stays down: " + vm.Why}
	case kind == KindStops:
		text := "may take " + plans.DurationText(vm.Grace)
		if vm.ForceStop {
			return []string{text + ", then it is switched off"}
		}
		return []string{text}
	}
	details := []string{"runs when " + plans.ConditionWords(vm.Boot)}
	if vm.Starts == plans.StartsUnknown {
		details = append(details, "whether it starts is not known yet")
	}
	if vm.Required {
		details = append(details, "required")
	}
	return details
}

// groups sums up the VMs of a large rank: those that are alike in what decides are one node.
func (d *drawing) groups(vms []*plans.BootVM) []Node {
	byWords := map[string][]*plans.BootVM{}
	var order []string
	for _, vm := range vms {
		words := d.kind(vm) + "\n" + strings.Join(d.details(vm), "\n")
		if byWords[words] == nil {
			order = append(order, words)
		}
		byWords[words] = append(byWords[words], vm)
	}
	slices.SortStableFunc(order, func(a, b string) int { return len(byWords[b]) - len(byWords[a]) })
	var nodes []Node
	var rest []*plans.BootVM
	for i, words := range order {
		if i >= mostGroups-1 && len(order) > mostGroups {
			rest = append(rest, byWords[words]...)
			continue
		}
		nodes = append(nodes, d.group(byWords[words], d.details(byWords[words][0])))
	}
	if len(rest) > 0 {
		nodes = append(nodes, d.group(rest, []string{"with other conditions"}))
	}
	return nodes
}

func (d *drawing) group(vms []*plans.BootVM, details []string) Node {
	node := Node{ID: d.nextID(), Name: report.Count(len(vms), "VM"), VMs: len(vms), Kind: d.kind(vms[0]), Required: vms[0].Required}
	if len(vms) == 1 {
		node.Name = vms[0].Name
	} else {
		node.Details = append(node.Details, vms[0].Name+" … "+vms[len(vms)-1].Name)
	}
	node.Details = append(node.Details, details...)
	mine := map[*plans.BootVM]bool{}
	for _, vm := range vms {
		mine[vm] = true
		d.node[vm] = node.ID
	}
	inside, outside := 0, 0
	for _, vm := range vms {
		if slices.ContainsFunc(vm.Preceding, func(before *plans.BootVM) bool { return mine[before] && d.orders(before, vm) }) {
			inside++
		}
		if slices.ContainsFunc(vm.Preceding, func(before *plans.BootVM) bool { return !mine[before] && d.orders(before, vm) }) {
			outside++
		}
	}
	if inside > 0 {
		node.Details = append(node.Details, fmt.Sprintf("%d of them come after others of them", inside))
	}
	if outside > 0 {
		node.Details = append(node.Details, fmt.Sprintf("%d of them come after other VMs", outside))
	}
	return node
}

// edges leads from each VM to those that come after it; in a shutdown the other way round.
func (d *drawing) edges() {
	at := map[[2]string]int{}
	for _, vm := range d.order.VMs {
		for _, before := range vm.Preceding {
			from, to := d.node[before], d.node[vm]
			if d.options.Stop {
				from, to = to, from
			}
			if from == to || !d.orders(before, vm) || before.Rank == vm.Rank && d.summed[vm.Rank] {
				continue // of a rank that is summed up the nodes tell it
			}
			key := [2]string{from, to}
			if at[key] == 0 {
				d.out.Edges = append(d.out.Edges, Edge{From: from, To: to})
				at[key] = len(d.out.Edges)
			}
			d.out.Edges[at[key]-1].Count++
		}
	}
}
