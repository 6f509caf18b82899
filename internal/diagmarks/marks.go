// Package diagmarks reads what the comments of a broken Lua file say must be found in it. Tests of plans and of worlds compare it with
// what is found. No program writes the marks: a golden file can be rewritten by mistake, they cannot.
//
//	rnk = 1, --@ diag(unknown-key, "rnk")
//
// names a finding of that line: its code and the text that the carets stand under. A third value is the distance to the line that is
// meant, for lines that cannot hold a comment.
package diagmarks

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var mark = regexp.MustCompile(`--@ diag\(([a-z-]+), ("(?:[^"\\]|\\.)*")(?:, (-?\d+))?\)`)

// Expected returns what the marks of a file expect, each in the form of Found. A mark that cannot be read is an error.
func Expected(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var expected []string
	for i, line := range strings.Split(string(text), "\n") {
		matches := mark.FindAllStringSubmatch(line, -1)
		if strings.Count(line, "--@") != len(matches) {
			return nil, fmt.Errorf("%s:%d: a mark that cannot be read: %s", file, i+1, line)
		}
		for _, match := range matches {
			span, err := strconv.Unquote(match[2])
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
			}
			distance := 0
			if match[3] != "" {
				if distance, err = strconv.Atoi(match[3]); err != nil {
					return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
				}
			}
			expected = append(expected, form(file, i+1+distance, match[1], span))
		}
	}
	return expected, nil
}

// Found renders a finding as Expected renders the mark of it. line and col count from 1, col and endCol in characters; endCol is behind
// the last one. The file must be readable: a finding has a place.
func Found(file string, line, col, endCol int, code string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("a finding %s without a file: %w", code, err)
	}
	lines := strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")
	if line < 1 || line > len(lines) {
		return "", fmt.Errorf("a finding %s in line %d of %s, which has %d", code, line, file, len(lines))
	}
	characters := []rune(lines[line-1])
	from := min(max(col-1, 0), len(characters))
	to := min(max(endCol-1, from), len(characters))
	return form(file, line, code, string(characters[from:to])), nil
}

func form(file string, line int, code, span string) string {
	return fmt.Sprintf("%s:%d: %s at %q", file, line, code, span)
}
