package graph_test

import (
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/awalterschulze/gographviz"

	"drrun/engine"
	"drrun/lua"
	"drrun/plans"
	"drrun/plans/graph"
	"drrun/stdlib"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (rewrite it with -update):\n%s", file, got)
	}
}

const head = `local dr = require "dr"
local plan = dr.plan {
  name = "Shop <&> \"co\"",
  sites = {
    primary = { url = "https://engine1.example", username = "admin@internal", password = dr.secret "primary_password" },
    secondary = { url = "https://engine2.example", username = "admin@internal", password = dr.secret "secondary_password" },
  },
  storage_domains = {
    { name = "shop", id = "00000005-0000-4000-8000-000000000001", type = "nfs",
      primary = { data_center = "Default", url = "nfs://10.0.0.1:/shop" }, secondary = { data_center = "Default", url = "nfs://10.1.0.1:/shop" } },
  },
  vms = vms,
}
`

// orderOf loads a plan whose VMs are given as Lua, and returns its boot order. What is recorded of VMs is their status by name.
func orderOf(t *testing.T, vms, behind string, statuses map[string]string) *plans.BootOrder {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plan.lua")
	text := strings.Replace(head, "vms = vms", "vms = {\n"+vms+"}", 1) + behind + "\nreturn plan\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var order *plans.BootOrder
	err := engine.NewScheduler(engine.SystemEnv(1)).Run(context.Background(), context.Background(), "load", func(task *engine.Task) error {
		rt := lua.New(lua.Options{Modules: []lua.Module{plans.DR(plans.Options{})}, ReadFile: os.ReadFile})
		p, found := plans.Load(task, rt, file)
		if p == nil {
			return found
		}
		inventory := &plans.Inventory{}
		for _, vm := range p.VMs {
			if status := statuses[vm.Name]; status != "" {
				inventory.VMs = append(inventory.VMs, plans.InventoryVM{ID: vm.ID, Name: vm.Name, Status: status, Cluster: "Prod"})
			}
		}
		survey, _ := plans.CheckOffline(p, inventory, plans.CheckOptions{})
		order = survey.BootOrder()
		for i := range p.Hooks { // where the plan lies differs from machine to machine
			p.Hooks[i].Pos.File = "plan.lua"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return order
}

func entry(n int, name, more string) string {
	return fmt.Sprintf("    { name = %s, id = \"00000007-0000-4000-8000-%012d\", %s },\n", strconv.Quote(name), n, more)
}

// shop is a small plan with everything that a drawing shows, and names that have to be escaped.
func shop(t *testing.T) *plans.BootOrder {
	return orderOf(t, entry(1, "db1", `rank = 0, required = true, boot = dr.boot.all { dr.boot.wait "90s", dr.boot.guest_agent { timeout = "5m" } }`)+
		entry(2, `a<b>&"c"\d`, `rank = 0, after = { "db1" }`)+
		entry(3, "app1", `after = { "db1" }, boot = dr.boot.guest_agent { timeout = "5m" }, start = true`)+
		entry(4, "app2-with-a-name-that-is-longer-than-its-box", `after = { "app1" }, grace = "10m", force_stop = true`)+
		entry(5, "ci", "start = false")+
		entry(6, "späte Maschine", `rank = 7, after = { "app1", "app2-with-a-name-that-is-longer-than-its-box", "ci" }, boot = dr.boot.any { dr.boot.wait "30s", dr.boot.guest_agent() }`),
		`plan:on("before_rank", function(ctx, rank) end, { as = "pager" })`+"\n"+`plan:on("before_stop", function(ctx, vm) end, { as = "dns" })`,
		map[string]string{"db1": "up", `a<b>&"c"\d`: "up", "app2-with-a-name-that-is-longer-than-its-box": "down", "späte Maschine": ""})
}

// fleet is a plan of so many VMs in three ranks.
func fleet(t *testing.T, count int) *plans.BootOrder {
	var vms strings.Builder
	statuses := map[string]string{}
	for n := range count {
		name, more := fmt.Sprintf("vm%d", n+1), fmt.Sprintf("rank = %d", n%3)
		switch {
		case n%10 == 9:
			more += ", start = false"
		case n >= 6 && n%5 == 0:
			more += fmt.Sprintf(`, after = { "vm%d" }`, n-2)
		}
		if n%4 == 0 {
			more += `, boot = dr.boot.guest_agent { timeout = "5m" }`
		}
		statuses[name] = "up"
		vms.WriteString(entry(n+1, name, more))
	}
	return orderOf(t, vms.String(), "", statuses)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]graph.Drawing{
		"shop": graph.Draw(shop(t), graph.Options{}), "shop.stop": graph.Draw(shop(t), graph.Options{Stop: true}),
		"fleet60": graph.Draw(fleet(t, 60), graph.Options{}), "fleet5000": graph.Draw(fleet(t, 5000), graph.Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name+".txt", d.Text())
			golden(t, name+".dot", d.DOT())
			golden(t, name+".svg", d.SVG())
		})
	}
}

// TestText is readable in 80 columns, and shows every VM where that is asked for.
func TestText(t *testing.T) {
	t.Parallel()
	order := fleet(t, 500)
	for _, o := range []graph.Options{{}, {Stop: true}, {All: true}} {
		text := graph.Draw(order, o).Text()
		for line := range strings.SplitSeq(text, "\n") {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
			}
		}
		if shown := strings.Contains(text, "vm251 "); shown != o.All {
			t.Errorf("all %v: vm251 shown: %v", o.All, shown)
		}
	}
}

// TestDOT is read by a parser of its grammar, with every VM and every order in it.
func TestDOT(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]*plans.BootOrder{"shop": shop(t), "fleet": fleet(t, 60)} {
		for _, o := range []graph.Options{{}, {Stop: true}} {
			d := graph.Draw(order, o)
			parsed, err := gographviz.Read([]byte(d.DOT()))
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, d.DOT())
				continue
			}
			if len(parsed.Nodes.Nodes) != len(order.VMs) || len(parsed.SubGraphs.SubGraphs) != len(order.Ranks) {
				t.Errorf("%s: %d nodes, %d ranks", name, len(parsed.Nodes.Nodes), len(parsed.SubGraphs.SubGraphs))
			}
			visible := 0
			for _, edge := range parsed.Edges.Edges {
				if edge.Attrs["style"] != "invis" {
					visible++
				}
			}
			if visible != len(d.Edges) || visible == 0 {
				t.Errorf("%s: %d edges of %d", name, visible, len(d.Edges))
			}
			if name == "shop" && !strings.Contains(d.DOT(), `label="a<b>&\"c\"\\d\n`) {
				t.Errorf("a name is not escaped:\n%s", d.DOT())
			}
		}
	}
}

// FuzzNames draws VMs of any name: DOT and SVG stay readable by their parsers, and a terminal gets no control character.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"db1", `a"b\`, "<&>", "\x1b[31mred", "a\nb", "\xff", "", "]]>", "--", "/*", "日本", strings.Repeat("x", 300)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		vms := []plans.VM{{Name: name, ID: "1", Start: plans.StartYes, Boot: &stdlib.Condition{}}, {Name: name + "2", ID: "2", Start: plans.StartYes, After: []string{name}, Boot: &stdlib.Condition{}}}
		survey, _ := plans.CheckOffline(&plans.Plan{Name: name, VMs: vms}, nil, plans.CheckOptions{})
		d := graph.Draw(survey.BootOrder(), graph.Options{})
		if parsed, err := gographviz.Read([]byte(d.DOT())); err != nil || len(parsed.Nodes.Nodes) != 2 {
			t.Errorf("DOT: %v\n%s", err, d.DOT())
		}
		var root element
		if err := xml.Unmarshal([]byte(d.SVG()), &root); err != nil {
			t.Errorf("SVG: %v\n%s", err, d.SVG())
		}
		for _, r := range strings.ReplaceAll(d.Text(), "\n", "") {
			if unicode.IsControl(r) {
				t.Errorf("the text holds %q:\n%q", r, d.Text())
			}
		}
	})
}

// element is what an SVG is made of.
type element struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Inside  []element  `xml:",any"`
}

func (e element) attr(name string) string {
	for _, attr := range e.Attrs {
		if attr.Name.Local == name {
			return attr.Value
		}
	}
	return ""
}

func (e element) walk(visit func(element)) {
	visit(e)
	for _, one := range e.Inside {
		one.walk(visit)
	}
}

type rectangle struct{ x, y, width, height float64 }

func (e element) rectangle(t *testing.T) rectangle {
	t.Helper()
	var values [4]float64
	for i, name := range []string{"x", "y", "width", "height"} {
		value, err := strconv.ParseFloat(e.attr(name), 64)
		if err != nil {
			t.Fatal(err)
		}
		values[i] = value
	}
	return rectangle{values[0], values[1], values[2], values[3]}
}

func (r rectangle) holds(other rectangle) bool {
	return other.x >= r.x && other.y >= r.y && other.x+other.width <= r.x+r.width && other.y+other.height <= r.y+r.height
}

func (r rectangle) meets(other rectangle) bool {
	return r.x < other.x+other.width && other.x < r.x+r.width && r.y < other.y+other.height && other.y < r.y+r.height
}

// TestSVG is well-formed, has no script, keeps texts texts, and its boxes lie in their bands and apart; every arrow leads down.
func TestSVG(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]*plans.BootOrder{"shop": shop(t), "fleet": fleet(t, 60), "large": fleet(t, 2000)} {
		for _, o := range []graph.Options{{}, {Stop: true}, {All: name != "large"}} {
			d := graph.Draw(order, o)
			text := d.SVG()
			decoder := xml.NewDecoder(strings.NewReader(text))
			var root element
			if err := decoder.Decode(&root); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := decoder.Token(); err != nil && !errors.Is(err, io.EOF) {
				if _, isText := err.(*xml.SyntaxError); isText {
					t.Error(err)
				}
			}
			var bands, nodes []rectangle
			var texts []string
			edges := 0
			root.walk(func(e element) {
				switch {
				case e.XMLName.Local == "script" || strings.HasPrefix(e.attr("href"), "http"):
					t.Errorf("%s: a %s", name, e.XMLName.Local)
				case e.XMLName.Local == "rect" && e.attr("class") == "band":
					bands = append(bands, e.rectangle(t))
				case e.XMLName.Local == "rect" && strings.HasPrefix(e.attr("class"), "node"):
					nodes = append(nodes, e.rectangle(t))
				case e.XMLName.Local == "text":
					texts = append(texts, e.Text)
				case e.XMLName.Local == "path" && e.attr("class") == "edge":
					edges++
					var x1, y1, a, b, c, f, x2, y2 float64
					if _, err := fmt.Sscanf(e.attr("d"), "M%f %fC%f %f %f %f %f %f", &x1, &y1, &a, &b, &c, &f, &x2, &y2); err != nil || y2 <= y1 {
						t.Errorf("%s: an arrow from %v to %v: %s: %v", name, y1, y2, e.attr("d"), err)
					}
				}
			})
			if len(bands) != len(order.Ranks) || edges != len(d.Edges) || len(nodes) == 0 {
				t.Errorf("%s: %d bands, %d nodes, %d edges of %d", name, len(bands), len(nodes), edges, len(d.Edges))
			}
			for i, node := range nodes {
				if !slices.ContainsFunc(bands, func(band rectangle) bool { return band.holds(node) }) {
					t.Errorf("%s: a box lies in no rank: %+v", name, node)
				}
				for _, other := range nodes[:i] {
					if node.meets(other) {
						t.Errorf("%s: boxes overlap: %+v %+v", name, node, other)
					}
				}
			}
			if name == "shop" && !slices.Contains(texts, `a<b>&"c"\d`) {
				t.Errorf("a name is no text: %q", texts)
			}
			if !strings.Contains(text, "prefers-color-scheme:dark") {
				t.Error("there is no dark form")
			}
		}
	}
}
