package graph

import (
	"fmt"
	"strings"
)

// DOT renders the drawing for Graphviz: dot -Tpdf.
func (d Drawing) DOT() string {
	var b strings.Builder
	b.WriteString("digraph boot_order {\n")
	fmt.Fprintf(&b, "  graph [rankdir=TB, labelloc=t, fontname=\"sans-serif\", label=%s];\n", dotText(append([]string{d.Title}, d.Notes...)...))
	b.WriteString("  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n")
	previous := ""
	for _, band := range d.Bands {
		label := []string{fmt.Sprintf("rank %d", band.Rank)}
		if band.Note != "" {
			label = append(label, band.Note)
		}
		fmt.Fprintf(&b, "  subgraph cluster_rank_%d {\n    label=%s;\n", band.Rank, dotText(label...))
		first := ""
		for _, row := range band.Rows {
			for _, node := range row {
				if first == "" {
					first = node.ID
				}
				fmt.Fprintf(&b, "    %s [label=%s%s];\n", node.ID, dotText(append([]string{node.Name}, node.Details...)...), dotStyle(node))
			}
		}
		b.WriteString("  }\n")
		if previous != "" && first != "" {
			fmt.Fprintf(&b, "  %s -> %s [style=invis];\n", previous, first) // keeps the ranks one below the other
		}
		previous = lastOf(band, previous)
	}
	for _, edge := range d.Edges {
		if edge.Count > 1 {
			fmt.Fprintf(&b, "  %s -> %s [label=\"%d\"];\n", edge.From, edge.To, edge.Count)
			continue
		}
		fmt.Fprintf(&b, "  %s -> %s;\n", edge.From, edge.To)
	}
	b.WriteString("}\n")
	return b.String()
}

// lastOf is a node of a band's last row.
func lastOf(band Band, otherwise string) string {
	if len(band.Rows) == 0 || len(band.Rows[len(band.Rows)-1]) == 0 {
		return otherwise
	}
	return band.Rows[len(band.Rows)-1][0].ID
}

func dotStyle(node Node) string {
	switch {
	case node.Kind == KindStays:
		return `, style="rounded,dashed", fontcolor=gray40`
	case node.Kind == KindUnknown:
		return `, style="rounded,dotted"`
	case node.Required:
		return `, penwidth=2`
	}
	return ""
}

// dotText quotes lines as one label. A backslash begins an escape there, and names are free to have one.
func dotText(lines ...string) string {
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(line)
	}
	return `"` + strings.Join(escaped, `\n`) + `"`
}
