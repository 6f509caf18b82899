package runner

import (
	"path/filepath"

	"drrun/stdlib"
)

// surroundings are what the modules for hooks see of this attempt. While the plan is being loaded there is no session.
func (a *attempt) surroundings() stdlib.Surroundings {
	absent := ""
	if a.trial != nil && a.PlanFile == "" {
		absent = "there is no plan here: drrun console PLAN.lua"
	}
	return stdlib.Surroundings{
		Session: func() *stdlib.Session {
			if a.session == nil && a.trial != nil {
				s, _ := a.trial.begin() // nil where none can be made: nothing outside is reached then
				return s
			}
			return a.session
		},
		Absent: absent,
		Folder: filepath.Dir(a.PlanFile),
		Getenv: a.Secrets.Env,
	}
}
