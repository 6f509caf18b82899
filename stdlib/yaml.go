package stdlib

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"gopkg.in/yaml.v3"

	"drrun/lua"
)

// yamlModule declares the module yaml.
func yamlModule() lua.Module {
	return lua.Module{
		Name: "yaml",
		Doc: "YAML texts (version 1.2 as Ansible and Kubernetes write it). Null and big integers are as in json; times stay texts; the keys of a mapping become texts, " +
			"and values behind anchors are copied.",
		Funcs: []lua.Func{
			{
				Name: "decode", Effect: lua.Pure, Returns: "any",
				Doc:    "Reads a YAML text with one document. Raises bad-yaml, with the line, when it is none.",
				Params: []lua.Param{{Name: "text", Type: lua.String, Positional: true, Doc: "The text."}},
				Run: func(c *lua.Call) (any, error) {
					value, err := decodeYAML(c.String("text"))
					if err != nil {
						return nil, c.Errorf("bad-yaml", "text", "%v", err)
					}
					return value, nil
				},
			},
			{
				Name: "encode", Effect: lua.Pure, Returns: "string",
				Doc:    "Writes a value as YAML, with the names of a mapping in alphabetical order.",
				Params: []lua.Param{{Name: "value", Type: lua.Any, Positional: true, Doc: "The value, as for json.encode."}},
				Run: func(c *lua.Call) (any, error) {
					data, err := recordable(c.Value("value"), "value")
					if err != nil {
						return nil, c.Errorf("bad-argument", "value", "%v", err)
					}
					text, err := yaml.Marshal(wholeNumbers(data))
					if err != nil {
						return nil, c.Errorf("bad-argument", "value", "write YAML: %v", err)
					}
					return string(text), nil
				},
			},
		},
	}
}

// decodeYAML reads one YAML document into what Lua can see.
func decodeYAML(text string) (any, error) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var another yaml.Node
	if err := decoder.Decode(&another); !errors.Is(err, io.EOF) {
		return nil, errors.New("the text holds more than one YAML document, or something that is none behind the first")
	}
	// A whole decode first: it refuses repeated keys, unknown anchors, and aliases that grow beyond all bounds.
	var whole any
	if err := document.Decode(&whole); err != nil {
		return nil, fmt.Errorf("not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return fromYAML(&document)
}

// fromYAML turns a node into what Lua can see.
func fromYAML(node *yaml.Node) (any, error) {
	switch node.Kind {
	case yaml.DocumentNode:
		return fromYAML(node.Content[0])
	case yaml.AliasNode:
		return fromYAML(node.Alias)
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			value, err := fromYAML(item)
			if err != nil {
				return nil, err
			}
			if value == nil {
				value = jsonNull
			}
			list[i] = value
		}
		return list, nil
	case yaml.MappingNode:
		table := map[string]any{}
		return table, intoTable(table, node)
	}
	return scalar(node)
}

// intoTable puts the pairs of a mapping into a table; those of a merge (<<) only where the table has nothing yet.
func intoTable(table map[string]any, node *yaml.Node) error {
	var merged []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, item := node.Content[i], node.Content[i+1]
		if key.Tag == "!!merge" {
			merged = append(merged, mergedMappings(item)...)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: the key of a mapping is a list or a mapping: Lua has no such names", key.Line)
		}
		value, err := fromYAML(item)
		if err != nil {
			return err
		}
		if value != nil {
			table[key.Value] = value
		}
	}
	for _, mapping := range merged {
		below := map[string]any{}
		if err := intoTable(below, mapping); err != nil {
			return err
		}
		for name, value := range below {
			if _, own := table[name]; !own {
				table[name] = value
			}
		}
	}
	return nil
}

// mergedMappings are the mappings that a merge key names: one, or a list of them.
func mergedMappings(node *yaml.Node) []*yaml.Node {
	switch node.Kind {
	case yaml.AliasNode:
		return mergedMappings(node.Alias)
	case yaml.SequenceNode:
		var all []*yaml.Node
		for _, item := range node.Content {
			all = append(all, mergedMappings(item)...)
		}
		return all
	}
	return []*yaml.Node{node}
}

// scalar returns the value of a scalar node. Times stay texts: Lua has no type for them.
func scalar(node *yaml.Node) (any, error) {
	switch node.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var value bool
		err := node.Decode(&value)
		return value, err
	case "!!int":
		var whole int64
		if err := node.Decode(&whole); err != nil || whole > 1<<53 || whole < -1<<53 {
			return node.Value, nil // hexadecimal and octal ones decode; what is left is too big
		}
		return float64(whole), nil
	case "!!float":
		var value float64
		if err := node.Decode(&value); err != nil {
			return nil, fmt.Errorf("line %d: %w", node.Line, err)
		}
		return value, nil
	}
	return node.Value, nil
}

// wholeNumbers writes 3 instead of 3e+00: numbers of Lua are floats.
func wholeNumbers(value any) any {
	switch v := value.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v)
		}
	case []any:
		for i, item := range v {
			v[i] = wholeNumbers(item)
		}
	case map[string]any:
		for name, item := range v {
			v[name] = wholeNumbers(item)
		}
	}
	return value
}
