package stdlib

import (
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"drrun/lua"
)

// csvModule declares the module csv.
func csvModule() lua.Module {
	separator := lua.Param{Name: "separator", Type: lua.String, Default: ",", Doc: "One character between the fields, such as \";\"."}
	header := lua.Param{Name: "header", Type: lua.Bool, Default: true, Doc: "The first row names the columns."}
	return lua.Module{
		Name: "csv",
		Doc:  "Tables as texts (RFC 4180), as spreadsheets write them. Every field is a text.",
		Funcs: []lua.Func{
			{
				Name: "decode", Effect: lua.Pure, Returns: "table<any, string>[]",
				Doc: "Reads rows. With a header each row is a table by column name, without one a list. Empty lines and a byte order mark are passed over. " +
					"Raises bad-csv, with line and column, where a row has another number of fields than the first.",
				Params: []lua.Param{{Name: "text", Type: lua.String, Positional: true, Doc: "The text."}, header, separator},
				Run: func(c *lua.Call) (any, error) {
					comma, err := separatorOf(c)
					if err != nil {
						return nil, err
					}
					rows, err := decodeCSV(c.String("text"), comma, c.Bool("header"))
					if err != nil {
						return nil, c.Errorf("bad-csv", "text", "%v", err)
					}
					return rows, nil
				},
			},
			{
				Name: "encode", Effect: lua.Pure, Returns: "string",
				Doc: "Writes rows: lists, or tables by column name. Numbers and booleans are written as Lua shows them.",
				Params: []lua.Param{
					{Name: "rows", Type: lua.List(lua.Any), Positional: true, Doc: "The rows."},
					{Name: "columns", Type: lua.List(lua.String), Optional: true, Doc: "Names and order of the columns. Default: all names, in alphabetical order."},
					header, separator,
				},
				Run: func(c *lua.Call) (any, error) {
					comma, err := separatorOf(c)
					if err != nil {
						return nil, err
					}
					var columns []string
					for _, name := range c.List("columns") {
						columns = append(columns, name.(string))
					}
					text, err := encodeCSV(c.List("rows"), columns, comma, c.Bool("header"))
					if err != nil {
						return nil, c.Errorf("bad-argument", "rows", "%v", err)
					}
					return text, nil
				},
			},
		},
	}
}

func separatorOf(c *lua.Call) (rune, error) {
	text := c.String("separator")
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || size == 0 || strings.ContainsRune("\"\r\n", r) || r == utf8.RuneError {
		return 0, c.Errorf("bad-argument", "separator", "the separator is one character, not a quote and not a line break: %q", text)
	}
	return r, nil
}

func decodeCSV(text string, separator rune, header bool) ([]any, error) {
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	reader.Comma = separator
	records, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("not CSV: %w", err)
	}
	rows := []any{}
	var names []string
	for i, record := range records {
		if header && i == 0 {
			names = record
			if twice := repeated(names); twice != "" {
				return nil, fmt.Errorf("two columns have the name %q", twice)
			}
			continue
		}
		if !header {
			row := make([]any, len(record))
			for j, text := range record {
				row[j] = text
			}
			rows = append(rows, row)
			continue
		}
		row := map[string]any{}
		for j, text := range record {
			row[names[j]] = text
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// repeated returns a name that is there twice, "" for none.
func repeated(names []string) string {
	sorted := slices.Sorted(slices.Values(names))
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return sorted[i]
		}
	}
	return ""
}

func encodeCSV(rows []any, columns []string, separator rune, header bool) (string, error) {
	if columns == nil {
		columns = columnsOf(rows)
	}
	var out strings.Builder
	writer := csv.NewWriter(&out)
	writer.Comma = separator
	if header && len(columns) > 0 {
		if err := writer.Write(columns); err != nil {
			return "", fmt.Errorf("write CSV: %w", err)
		}
	}
	for i, row := range rows {
		var fields []any
		switch v := row.(type) {
		case []any:
			fields = v
		case map[string]any:
			for name := range v {
				if !slices.Contains(columns, name) {
					return "", fmt.Errorf("row %d has the column %q, which is not among the columns", i+1, name)
				}
			}
			for _, name := range columns {
				fields = append(fields, v[name])
			}
		default:
			return "", fmt.Errorf("row %d is neither a list nor a table by column name", i+1)
		}
		texts := make([]string, len(fields))
		for j, field := range fields {
			text, err := plainText(field)
			if err != nil {
				return "", fmt.Errorf("row %d, field %d %w", i+1, j+1, err)
			}
			texts[j] = text
		}
		if err := writer.Write(texts); err != nil {
			return "", fmt.Errorf("write CSV: %w", err)
		}
	}
	writer.Flush()
	return out.String(), writer.Error()
}

// columnsOf collects the names in all rows.
func columnsOf(rows []any) []string {
	names := map[string]bool{}
	for _, row := range rows {
		if named, ok := row.(map[string]any); ok {
			for name := range named {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// plainText returns a value as Lua would show it; nil is empty. Only texts, numbers and booleans have such a text.
func plainText(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'g', 14, 64), nil
	case *lua.Secret:
		return "", errors.New("is a secret, which cannot become a text")
	}
	return "", errors.New("is neither a text nor a number nor true or false")
}
