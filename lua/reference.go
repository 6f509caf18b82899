package lua

import (
	"fmt"
	"strings"
)

// WriteClass writes what an object has, as the pages of the reference show it.
func WriteClass(b *strings.Builder, name string, class *Class) {
	if len(class.Fields) > 0 {
		b.WriteString("| field | type | |\n| --- | --- | --- |\n")
	}
	for _, field := range class.Fields {
		fmt.Fprintf(b, "| `%s.%s` | %s | %s |\n", name, field.Name, Cell(field.Type), Cell(field.Doc))
	}
	if len(class.Fields) > 0 {
		b.WriteString("\n")
	}
	for i := range class.Methods {
		WriteFunc(b, name+":", &class.Methods[i])
	}
}

// WriteFunc writes how a function is called. owner is what stands before its name: "ctx:" or "json.".
func WriteFunc(b *strings.Builder, owner string, fn *Func) {
	title := owner + fn.Name
	if fn.Returns != "" {
		title += " → " + fn.Returns
	}
	fmt.Fprintf(b, "### `%s`\n\n", title)
	switch {
	case fn.Effect == Changes:
		b.WriteString("**Changes** the engine. ")
	case owner[len(owner)-1] == '.' && fn.Effect == Observes:
		b.WriteString("**Observes.** ")
	case owner[len(owner)-1] == '.' && fn.Effect == Durable:
		b.WriteString("A **change**. ")
	}
	b.WriteString(fn.Doc + "\n\n")
	writeParams(b, fn.Params, "")
	if len(fn.Params) > 0 {
		b.WriteString("\n")
	}
}

func writeParams(b *strings.Builder, params []Param, indent string) {
	for _, p := range params {
		note := ""
		switch {
		case p.Default != nil:
			note = fmt.Sprintf("; default %#v", p.Default)
		case p.Optional:
			note = "; optional"
		}
		fmt.Fprintf(b, "%s- `%s`: %s%s. %s\n", indent, p.Name, strings.ReplaceAll(p.Type.String(), " or a dr.todo", ""), note, p.Doc)
		writeParams(b, p.Type.Fields(), indent+"  ")
	}
}

// WriteRecords writes the fields of tables.
func WriteRecords(b *strings.Builder, records []Record) {
	for _, record := range records {
		fmt.Fprintf(b, "### %s\n\n%s\n\n| field | type | |\n| --- | --- | --- |\n", record.Name, record.Doc)
		for _, field := range record.Fields {
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", field.Name, Cell(field.Type), Cell(field.Doc))
		}
		b.WriteString("\n")
	}
}

// Cell is a text in a cell of a table.
func Cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
