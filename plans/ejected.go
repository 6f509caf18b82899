package plans

import (
	"fmt"
	"path/filepath"

	"drrun/lua"
	"drrun/stdlib"
)

// outdatedWorkflows warns of files that were ejected from another drrun: what the built-in text has learned since is missing in them.
func outdatedWorkflows(files map[string][]byte) lua.Diagnostics {
	var found lua.Diagnostics
	for path, text := range files {
		for _, ejected := range stdlib.EjectedMarks(text) {
			why := ejected.Outdated()
			if why == "" {
				continue
			}
			pos := lua.Pos{File: path, Line: ejected.Line, Col: 1, EndCol: 1 + len("--@ ejected "+ejected.Name)}
			found = append(found, &lua.Diagnostic{Pos: pos, Severity: SeverityWarning, Subject: "ejected " + ejected.Name, Code: "workflow-of-other-version",
				Message: fmt.Sprintf("this is not the text of this drrun: %s", why),
				Hint:    fmt.Sprintf("compare it with the present one, take over what is new, and its first line: drrun eject %s -o %s", ejected.Name, newerName(path))})
		}
	}
	return found
}

// newerName is a file beside another one for its newer text.
func newerName(path string) string {
	extension := filepath.Ext(path)
	return path[:len(path)-len(extension)] + "_new" + extension
}
