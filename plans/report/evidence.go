package report

// lookRows joins looks at the source that came to the same verdict.
func (h *history) lookRows() []Look {
	var rows []Look
	for _, l := range h.looks {
		v := l.verdict
		row := Look{Attempt: l.attempt, First: v.At, Last: v.At, Count: 1, Holds: v.Holds, Ground: v.Ground, Why: v.Why, Answers: v.Answers}
		if v.Confirmation != nil {
			row.By = v.Confirmation.Name
		}
		if n := len(rows); n > 0 {
			last := &rows[n-1]
			if last.Attempt == row.Attempt && last.Holds == row.Holds && last.Ground == row.Ground && last.Answers == row.Answers && last.By == row.By {
				last.Last, last.Why = row.Last, row.Why
				last.Count++
				continue
			}
		}
		rows = append(rows, row)
	}
	return rows
}
