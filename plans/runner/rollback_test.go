package runner_test

import (
	"context"

	"drrun/engine"
	"drrun/plans/runner"
)

// rollback undoes a planned run.
func (p *pair) rollback(id string, change func(*runner.Options)) *runner.Result {
	p.t.Helper()
	var result *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, answers{})
		o.ConfirmSourceDown = ""
		if change != nil {
			change(&o)
		}
		result = runner.Rollback(context.Background(), context.Background(), id, o)
	})
	return result
}
