package plans

import (
	"fmt"
	"strings"
)

// LineDiff returns what changed between two texts, line by line: "- " before what was, "+ " before what is, each group behind a
// line "@@ old line → new line". Passwords in the lines are hidden. Two equal texts differ in nothing.
func LineDiff(before, after string) []string {
	a, b := lines(before), lines(after)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	var out []string
	inGroup := false
	i, j := start, start
	emit := func(sign, line string) {
		if !inGroup {
			out = append(out, fmt.Sprintf("@@ %d → %d", i+1, j+1))
			inGroup = true
		}
		out = append(out, sign+hidePasswords(line))
	}
	common := longestCommon(a[start:endA], b[start:endB])
	for i < endA || j < endB {
		switch {
		case i < endA && j < endB && a[i] == b[j] && (common == nil || common[i-start][j-start] == common[i-start+1][j-start+1]+1):
			inGroup = false
			i, j = i+1, j+1
		case j == endB || i < endA && (common == nil || common[i-start+1][j-start] >= common[i-start][j-start+1]):
			emit("- ", a[i])
			i++
		default:
			emit("+ ", b[j])
			j++
		}
	}
	return out
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// largestTable bounds the memory of a comparison; texts that differ more than that are shown as all removed and all added.
const largestTable = 4 << 20

// longestCommon is the table of the lengths of the longest common subsequences of all tails, nil where it would be too large.
func longestCommon(a, b []string) [][]int32 {
	if len(a)*len(b) > largestTable {
		return nil
	}
	table := make([][]int32, len(a)+1)
	for i := range table {
		table[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}
