package runner

import (
	"encoding/json"

	"drrun/engine"
	"drrun/stdlib"
)

// oldConfirmation is the last word that an earlier attempt was given. Only a sabotaged test asks for it: it is what must not count.
func (a *attempt) oldConfirmation() (last *stdlib.Confirmation) {
	info, err := engine.ReadRun(a.Env, a.StateDir, a.run.ID())
	if err != nil {
		return nil
	}
	for _, record := range info.Records {
		var c stdlib.Confirmation
		if record.Note == confirmationNote && json.Unmarshal(record.Data, &c) == nil {
			last = &c
		}
	}
	return last
}
