package graph

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The measures of an SVG, in its own units.
const (
	svgWidth    = 960
	svgMargin   = 16
	svgHead     = 30 // of a band, for its name
	svgNote     = 18 // of a line below the title
	nodeHeight  = 44
	nodeGap     = 14
	rowGap      = 26 // room for arrows
	bandGap     = 20
	letter      = 7.4 // width of a letter of a name
	smallLetter = 5.8
	longestName = 28
	longestNote = 34
)

const svgStyle = `
.page{fill:#ffffff}.band{fill:#f3f5f7;stroke:#cfd6dd}.node{fill:#ffffff;stroke:#3b4a59;stroke-width:1.2}
.stays_down{fill:#f3f5f7;stroke-dasharray:5 4;stroke:#76828e}.unknown{stroke-dasharray:2 3}.required{stroke-width:2.6}
.title{font:600 17px sans-serif}.rank{font:600 13px sans-serif}.name{font:600 12px sans-serif}.note{font:11px sans-serif}
text{fill:#17212b}.note,.stays_down+text{fill:#4c5966}.edge{fill:none;stroke:#2f6db5;stroke-width:1.3}.tip{fill:#2f6db5}
@media (prefers-color-scheme:dark){.page{fill:#12171c}.band{fill:#1b222a;stroke:#37424d}.node{fill:#232c36;stroke:#9fb0c0}
.stays_down{fill:#1b222a;stroke:#7d8b98}text{fill:#e8edf2}.note,.stays_down+text{fill:#aab6c2}.edge{stroke:#7db2ee}.tip{fill:#7db2ee}}
`

// box is a node with its place.
type box struct {
	Node
	x, y, width float64
}

// SVG renders the drawing as a picture of its own: ranks are bands, an arrow leads to what comes after. It has no script, its texts are
// texts, and it follows the reader's choice of light or dark.
func (d Drawing) SVG() string {
	boxes := map[string]box{}
	// Arrows lie above the bands and below the boxes, so that they cross no text of a box.
	var bands, nodes strings.Builder
	y := float64(svgMargin + 24 + svgNote*len(d.Notes))
	for _, band := range d.Bands {
		top := y
		y += svgHead
		for _, row := range band.Rows {
			y = placeRow(row, y, boxes, &nodes)
		}
		height := y - top
		fmt.Fprintf(&bands, "<rect class=\"band\" x=\"%d\" y=\"%s\" width=\"%d\" height=\"%s\" rx=\"8\"/>\n", svgMargin, number(top), svgWidth-2*svgMargin, number(height))
		fmt.Fprintf(&bands, "<text class=\"rank\" x=\"%d\" y=\"%s\">rank %d</text>\n", svgMargin+12, number(top+20), band.Rank)
		if band.Note != "" {
			fmt.Fprintf(&bands, "<text class=\"note\" x=\"%d\" y=\"%s\">%s</text>\n", svgMargin+76, number(top+20), xmlText(band.Note))
		}
		y += bandGap
	}
	height := number(y - bandGap + svgMargin)
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %s\" width=\"%d\" height=\"%s\" role=\"img\" aria-labelledby=\"title\">\n", svgWidth, height, svgWidth, height)
	fmt.Fprintf(&b, "<title id=\"title\">%s</title>\n<desc>%s</desc>\n<style>%s</style>\n", xmlText(d.Title), xmlText(strings.Join(d.Notes, ". ")), svgStyle)
	b.WriteString("<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n")
	fmt.Fprintf(&b, "<rect class=\"page\" width=\"%d\" height=\"%s\"/>\n<text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", svgWidth, height, svgMargin, svgMargin+14, xmlText(d.Title))
	for i, note := range d.Notes {
		fmt.Fprintf(&b, "<text class=\"note\" x=\"%d\" y=\"%d\">%s</text>\n", svgMargin, svgMargin+14+svgNote*(i+1), xmlText(note))
	}
	b.WriteString(bands.String())
	for _, edge := range d.Edges {
		drawEdge(&b, boxes[edge.From], boxes[edge.To], edge.Count)
	}
	b.WriteString(nodes.String())
	b.WriteString("</svg>\n")
	return b.String()
}

// placeRow draws the nodes of a row, in as many lines as they need, and returns where the next row begins.
func placeRow(row []Node, y float64, boxes map[string]box, b *strings.Builder) float64 {
	x := float64(svgMargin + 12)
	for _, node := range row {
		one := box{Node: node, width: nodeWidth(node)}
		if x+one.width > svgWidth-svgMargin-12 && x > svgMargin+12 {
			x, y = svgMargin+12, y+nodeHeight+rowGap
		}
		one.x, one.y = x, y
		boxes[node.ID] = one
		drawNode(b, one)
		x += one.width + nodeGap
	}
	return y + nodeHeight + rowGap
}

func nodeWidth(node Node) float64 {
	width := letter * float64(utf8.RuneCountInString(shortened(node.Name, longestName)))
	if len(node.Details) > 0 {
		width = max(width, smallLetter*float64(utf8.RuneCountInString(shortened(node.Details[0], longestNote))))
	}
	return max(70, width+20)
}

func drawNode(b *strings.Builder, n box) {
	class := "node " + n.Kind
	if n.Required {
		class += " required"
	}
	lines := append([]string{n.Name}, n.Details...)
	if len(n.After) > 0 {
		lines = append(lines, "after "+strings.Join(n.After, ", "))
	}
	fmt.Fprintf(b, "<g><title>%s</title><rect class=\"%s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%d\" rx=\"6\"/>", xmlText(strings.Join(lines, "; ")), class, number(n.x), number(n.y), number(n.width), nodeHeight)
	fmt.Fprintf(b, "<text class=\"name\" x=\"%s\" y=\"%s\">%s</text>", number(n.x+10), number(n.y+18), xmlText(shortened(n.Name, longestName)))
	if len(n.Details) > 0 {
		fmt.Fprintf(b, "<text class=\"note\" x=\"%s\" y=\"%s\">%s</text>", number(n.x+10), number(n.y+34), xmlText(shortened(n.Details[0], longestNote)))
	}
	b.WriteString("</g>\n")
}

// drawEdge draws an arrow from the bottom of one node to the top of another, which is always further down.
func drawEdge(b *strings.Builder, from, to box, count int) {
	x1, y1 := from.x+from.width/2, from.y+nodeHeight
	x2, y2 := to.x+to.width/2, to.y
	bend := max(14, (y2-y1)/2)
	fmt.Fprintf(b, "<path class=\"edge\" marker-end=\"url(#tip)\" d=\"M%s %sC%s %s %s %s %s %s\"><title>%s before %s</title></path>\n",
		number(x1), number(y1), number(x1), number(y1+bend), number(x2), number(y2-bend), number(x2), number(y2-1), xmlText(from.Name), xmlText(to.Name))
	if count > 1 {
		fmt.Fprintf(b, "<text class=\"note\" x=\"%s\" y=\"%s\">%d</text>\n", number((x1+x2)/2+4), number((y1+y2)/2), count)
	}
}

// shortened cuts a text that has no room; the whole of it is in the title.
func shortened(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

func number(value float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0")
}

func xmlText(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err) // a builder takes everything
	}
	return b.String()
}
