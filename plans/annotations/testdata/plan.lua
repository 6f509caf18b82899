---@meta _
-- Written by drrun types; do not edit.

---@class (exact) handler_rules
---@field timeout? duration # How long it may run. Default: "10m".
---@field on_error? "stop"|"continue" # What its error does. Default: "stop".
---@field on_cut? "ask"|"retry" # What a resumed run does when it was cut in the middle. Default: "ask" where storage or hosts are changed, else "retry".
---@field [string] unknown_key

---@class (exact) plan.on.arguments
---@field point hook_point # The hook point, such as "after_rank".
---@field handler hook_handler # function(ctx, subject).
---@field as? string # Name of the handler in the journal. Needed from the second handler of a point on. Default: "plan".
---@field timeout? duration # How long it may run. Default: "10m".
---@field on_error? "stop"|"continue" # What its error does. Default: "stop".
---@field on_cut? "ask"|"retry" # What a resumed run does when it was cut in the middle. Default: "ask" where storage or hosts are changed, else "retry".
---@field groups? string[] # At a hook point of storage: the consistency groups that it is called for. Default: all of them.
---@field [string] unknown_key

---@class (exact) plan.on.options
---@field as? string # Name of the handler in the journal. Needed from the second handler of a point on. Default: "plan".
---@field timeout? duration # How long it may run. Default: "10m".
---@field on_error? "stop"|"continue" # What its error does. Default: "stop".
---@field on_cut? "ask"|"retry" # What a resumed run does when it was cut in the middle. Default: "ask" where storage or hosts are changed, else "retry".
---@field groups? string[] # At a hook point of storage: the consistency groups that it is called for. Default: all of them.
---@field [string] unknown_key

---@class (exact) plan.use.arguments
---@field library library # What dr.library returned, called with its options where it has some.
---@field as? string # Name of its handlers, to use one library twice. Default: the library's name.
---@field groups? string[] # The consistency groups that its storage hooks are called for, such as those of one array. Its other hooks are called as ever. Default: all of them.
---@field [string] unknown_key

---@class (exact) plan.use.options
---@field as? string # Name of its handlers, to use one library twice. Default: the library's name.
---@field groups? string[] # The consistency groups that its storage hooks are called for, such as those of one array. Its other hooks are called as ever. Default: all of them.
---@field [string] unknown_key

---@class (exact) library_hook.before_run: handler_rules
---@field run (fun(ctx: ctx, run: run_subject, options: table<string, any>)) # Before the first stage of an action; the subject is the run.

---@class (exact) library_hook.confirm_source_down: handler_rules
---@field run (fun(ctx: ctx, subject: subject, options: table<string, any>)) # Before the evidence about the source is collected; an observation for the report, it cannot waive the evidence rules.

---@class (exact) library_hook.before_fence: handler_rules
---@field run (fun(ctx: ctx, subject: any, options: table<string, any>)) # Before a host is fenced. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.

---@class (exact) library_hook.after_fence: handler_rules
---@field run (fun(ctx: ctx, subject: any, options: table<string, any>)) # After a host was fenced. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.

---@class (exact) library_hook.ensure_replication: handler_rules
---@field run (fun(ctx: ctx, group: consistency_group, options: table<string, any>)) # Planned, before the first shutdown and after what was left at the target has gone: sees that the array replicates a consistency group from source to target, starts it where it does not, and raises an error where it cannot.

---@class (exact) library_hook.promote_storage: handler_rules
---@field run (fun(ctx: ctx, group: consistency_group, options: table<string, any>): promotion|prompt_answer|nil) # Makes the target's copy of a consistency group writable; returns { writable = true, as_of = TIME }.

---@class (exact) library_hook.demote_storage: handler_rules
---@field run (fun(ctx: ctx, group: consistency_group, options: table<string, any>)) # Makes the source's copy of a consistency group read-only, just before the promotion. In an unplanned failover too, where its error is a warning: the source's array may be lost.

---@class (exact) library_hook.reverse_replication: handler_rules
---@field run (fun(ctx: ctx, group: consistency_group, options: table<string, any>): replication|prompt_answer|boolean|nil) # Starts replication of a consistency group in the other direction; returns { ready = true } when it runs.

---@class (exact) library_hook.snapshot_replica: handler_rules
---@field run (fun(ctx: ctx, group: consistency_group, options: table<string, any>): any) # Tests: makes a writable clone of a consistency group. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.

---@class (exact) library_hook.discard_snapshot: handler_rules
---@field run (fun(ctx: ctx, group: consistency_group, options: table<string, any>): any) # Tests: removes that clone. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.

---@class (exact) library_hook.before_import: handler_rules
---@field run (fun(ctx: ctx, storage_domain: storage_domain, options: table<string, any>)) # Before a storage domain is imported on the target.

---@class (exact) library_hook.after_import: handler_rules
---@field run (fun(ctx: ctx, storage_domain: storage_domain, options: table<string, any>)) # After a storage domain is active on the target.

---@class (exact) library_hook.before_register: handler_rules
---@field run (fun(ctx: ctx, vm: vm, options: table<string, any>)) # Before a VM is registered on the target.

---@class (exact) library_hook.after_register: handler_rules
---@field run (fun(ctx: ctx, vm: vm, options: table<string, any>)) # After a VM is registered on the target.

---@class (exact) library_hook.before_rank: handler_rules
---@field run (fun(ctx: ctx, rank: rank, options: table<string, any>)) # Before the first VM of a rank starts.

---@class (exact) library_hook.after_rank: handler_rules
---@field run (fun(ctx: ctx, rank: rank, options: table<string, any>)) # After every VM of a rank met its boot condition or failed.

---@class (exact) library_hook.before_start: handler_rules
---@field run (fun(ctx: ctx, vm: vm, options: table<string, any>)) # Before a VM starts.

---@class (exact) library_hook.after_start: handler_rules
---@field run (fun(ctx: ctx, vm: vm, options: table<string, any>)) # After a VM met its boot condition.

---@class (exact) library_hook.verify_vm: handler_rules
---@field run (fun(ctx: ctx, vm: vm, options: table<string, any>): boolean?) # After after_start; returning false makes the VM unverified.

---@class (exact) library_hook.before_stop: handler_rules
---@field run (fun(ctx: ctx, vm: vm, options: table<string, any>)) # Before a VM is shut down at the source.

---@class (exact) library_hook.after_stop: handler_rules
---@field run (fun(ctx: ctx, vm: vm, options: table<string, any>)) # After a VM was seen down at the source.

---@class (exact) library_hook.after_run: handler_rules
---@field run (fun(ctx: ctx, result: run_result, options: table<string, any>)) # After the last stage; the second argument is the result.

---@class (exact) library_hook.on_error: handler_rules
---@field run (fun(ctx: ctx, err: run_error, options: table<string, any>)) # When an action stops; the second argument is the error.

---The handlers of a library, by hook point.
---@class (exact) library_hooks
---@field before_run? (fun(ctx: ctx, run: run_subject, options: table<string, any>))|library_hook.before_run # Before the first stage of an action; the subject is the run.
---@field confirm_source_down? (fun(ctx: ctx, subject: subject, options: table<string, any>))|library_hook.confirm_source_down # Before the evidence about the source is collected; an observation for the report, it cannot waive the evidence rules.
---@field before_fence? (fun(ctx: ctx, subject: any, options: table<string, any>))|library_hook.before_fence # Before a host is fenced. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.
---@field after_fence? (fun(ctx: ctx, subject: any, options: table<string, any>))|library_hook.after_fence # After a host was fenced. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.
---@field ensure_replication? (fun(ctx: ctx, group: consistency_group, options: table<string, any>))|library_hook.ensure_replication # Planned, before the first shutdown and after what was left at the target has gone: sees that the array replicates a consistency group from source to target, starts it where it does not, and raises an error where it cannot.
---@field promote_storage? (fun(ctx: ctx, group: consistency_group, options: table<string, any>): promotion|prompt_answer|nil)|library_hook.promote_storage # Makes the target's copy of a consistency group writable; returns { writable = true, as_of = TIME }.
---@field demote_storage? (fun(ctx: ctx, group: consistency_group, options: table<string, any>))|library_hook.demote_storage # Makes the source's copy of a consistency group read-only, just before the promotion. In an unplanned failover too, where its error is a warning: the source's array may be lost.
---@field reverse_replication? (fun(ctx: ctx, group: consistency_group, options: table<string, any>): replication|prompt_answer|boolean|nil)|library_hook.reverse_replication # Starts replication of a consistency group in the other direction; returns { ready = true } when it runs.
---@field snapshot_replica? (fun(ctx: ctx, group: consistency_group, options: table<string, any>): any)|library_hook.snapshot_replica # Tests: makes a writable clone of a consistency group. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.
---@field discard_snapshot? (fun(ctx: ctx, group: consistency_group, options: table<string, any>): any)|library_hook.discard_snapshot # Tests: removes that clone. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.
---@field before_import? (fun(ctx: ctx, storage_domain: storage_domain, options: table<string, any>))|library_hook.before_import # Before a storage domain is imported on the target.
---@field after_import? (fun(ctx: ctx, storage_domain: storage_domain, options: table<string, any>))|library_hook.after_import # After a storage domain is active on the target.
---@field before_register? (fun(ctx: ctx, vm: vm, options: table<string, any>))|library_hook.before_register # Before a VM is registered on the target.
---@field after_register? (fun(ctx: ctx, vm: vm, options: table<string, any>))|library_hook.after_register # After a VM is registered on the target.
---@field before_rank? (fun(ctx: ctx, rank: rank, options: table<string, any>))|library_hook.before_rank # Before the first VM of a rank starts.
---@field after_rank? (fun(ctx: ctx, rank: rank, options: table<string, any>))|library_hook.after_rank # After every VM of a rank met its boot condition or failed.
---@field before_start? (fun(ctx: ctx, vm: vm, options: table<string, any>))|library_hook.before_start # Before a VM starts.
---@field after_start? (fun(ctx: ctx, vm: vm, options: table<string, any>))|library_hook.after_start # After a VM met its boot condition.
---@field verify_vm? (fun(ctx: ctx, vm: vm, options: table<string, any>): boolean?)|library_hook.verify_vm # After after_start; returning false makes the VM unverified.
---@field before_stop? (fun(ctx: ctx, vm: vm, options: table<string, any>))|library_hook.before_stop # Before a VM is shut down at the source.
---@field after_stop? (fun(ctx: ctx, vm: vm, options: table<string, any>))|library_hook.after_stop # After a VM was seen down at the source.
---@field after_run? (fun(ctx: ctx, result: run_result, options: table<string, any>))|library_hook.after_run # After the last stage; the second argument is the result.
---@field on_error? (fun(ctx: ctx, err: run_error, options: table<string, any>))|library_hook.on_error # When an action stops; the second argument is the error.
---@field [string] unknown_key

---The two sites of a plan.
---@class (exact) planned_sites
---@field primary planned_site # The primary site.
---@field secondary planned_site # The secondary site.

---A site of a plan.
---@class (exact) planned_site
---@field url string # Address of the engine.
---@field username string # User.

---A storage domain of a plan.
---@class (exact) planned_storage_domain
---@field name string # Name.
---@field id string # Id.
---@field type string # Storage type.
---@field group string? # Consistency group, where it has one of its own.
---@field upgrade_format boolean? # True where the plan consents to an upgrade of its storage format.
---@field primary planned_place # Where it lives at the primary site.
---@field secondary planned_place # Where its replica lives at the secondary site.

---Where a storage domain lives.
---@class (exact) planned_place
---@field data_center string # Name of the data center.
---@field url string? # Place of the storage.
---@field nfs_version string? # NFS version.
---@field mount_options string? # Further mount options.
---@field vfs_type string? # File system of a posixfs domain.
---@field targets string[]? # iSCSI targets, as ADDRESS:PORT/IQN.
---@field luns string[]? # Ids of its LUNs.

---What takes the place of what.
---@class (exact) planned_mappings
---@field clusters planned_cluster_mapping[] # Clusters.
---@field vnic_profiles planned_profile_mapping[] # vNIC profiles.
---@field luns planned_lun_mapping[] # LUNs that are disks of VMs.

---A LUN that is a disk of a VM and the one that takes its place.
---@class (exact) planned_lun_mapping
---@field primary planned_lun # At the primary site.
---@field secondary planned_lun # At the secondary site.
---@field optional boolean # Its VM can do without it.

---A LUN that is a disk of a VM.
---@class (exact) planned_lun
---@field id string # Id, empty where there is none.
---@field targets string[] # The targets behind which it is; none for Fibre Channel.

---A cluster and the one that takes its place.
---@class (exact) planned_cluster_mapping
---@field primary string # At the primary site.
---@field secondary string # At the secondary site.

---A vNIC profile and the one that takes its place.
---@class (exact) planned_profile_mapping
---@field primary planned_profile # At the primary site.
---@field secondary planned_profile # At the secondary site.
---@field test planned_profile? # For tests.

---A vNIC profile.
---@class (exact) planned_profile
---@field data_center string # Name of the data center.
---@field network string # Name of the network.
---@field profile string # Name of the profile.

---A template of a plan.
---@class (exact) planned_template
---@field name string # Name.
---@field id string # Id.

---A VM of a plan.
---@class (exact) planned_vm
---@field name string # Name.
---@field id string # Id.
---@field rank number # Rank.
---@field after string[] # Names of VMs that it comes after.
---@field required boolean # The run stops when it does not come up.
---@field on_error string # continue or stop.
---@field grace number # How long its shutdown may take, in seconds.
---@field force_stop boolean # Switch it off when that is over.
---@field boot string # Its boot condition, for people.
---@field start boolean|"as_before" # Whether it is started.

---A plan. Add hooks with plan:on and plan:use, replace a workflow by assigning plan.failover, add actions to plan.actions.
---@class (exact) plan
---@field name string # Name of the plan.
---@field params table<string, any> # The plan's own parameters; a run's are in ctx.params.
---@field sites planned_sites # url and username of both sites.
---@field storage_domains planned_storage_domain[] # The storage domains.
---@field mappings planned_mappings # The mappings.
---@field templates planned_template[] # The templates.
---@field vms planned_vm[] # The VMs, with the defaults filled in.
---@field actions plan_actions # Actions of the plan's own: plan.actions.NAME = function(ctx) … end, run by `drrun run PLAN.lua NAME`.
---@field failover (fun(ctx: ctx))? # The plan's own failover; nil means the built-in one.
---@field failback (fun(ctx: ctx))? # The plan's own failback; nil means the built-in one.
---@field clean (fun(ctx: ctx))? # The plan's own clean, of drrun clean; nil means the built-in one.
---@field rollback (fun(ctx: ctx))? # The plan's own rollback; nil means the built-in one.
---`before_run`: Before the first stage of an action; the subject is the run.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "before_run", handler: (fun(ctx: ctx, run: run_subject)), options?: plan.on.options)
---`confirm_source_down`: Before the evidence about the source is collected; an observation for the report, it cannot waive the evidence rules.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "confirm_source_down", handler: (fun(ctx: ctx, subject: subject)), options?: plan.on.options)
---`before_fence`: Before a host is fenced. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "before_fence", handler: (fun(ctx: ctx, subject: any)), options?: plan.on.options)
---`after_fence`: After a host was fenced. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "after_fence", handler: (fun(ctx: ctx, subject: any)), options?: plan.on.options)
---`ensure_replication`: Planned, before the first shutdown and after what was left at the target has gone: sees that the array replicates a consistency group from source to target, starts it where it does not, and raises an error where it cannot.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "ensure_replication", handler: (fun(ctx: ctx, group: consistency_group)), options?: plan.on.options)
---`promote_storage`: Makes the target's copy of a consistency group writable; returns { writable = true, as_of = TIME }.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "promote_storage", handler: (fun(ctx: ctx, group: consistency_group): promotion|prompt_answer|nil), options?: plan.on.options)
---`demote_storage`: Makes the source's copy of a consistency group read-only, just before the promotion. In an unplanned failover too, where its error is a warning: the source's array may be lost.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "demote_storage", handler: (fun(ctx: ctx, group: consistency_group)), options?: plan.on.options)
---`reverse_replication`: Starts replication of a consistency group in the other direction; returns { ready = true } when it runs.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "reverse_replication", handler: (fun(ctx: ctx, group: consistency_group): replication|prompt_answer|boolean|nil), options?: plan.on.options)
---`snapshot_replica`: Tests: makes a writable clone of a consistency group. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "snapshot_replica", handler: (fun(ctx: ctx, group: consistency_group): any), options?: plan.on.options)
---`discard_snapshot`: Tests: removes that clone. No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "discard_snapshot", handler: (fun(ctx: ctx, group: consistency_group): any), options?: plan.on.options)
---`before_import`: Before a storage domain is imported on the target.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "before_import", handler: (fun(ctx: ctx, storage_domain: storage_domain)), options?: plan.on.options)
---`after_import`: After a storage domain is active on the target.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "after_import", handler: (fun(ctx: ctx, storage_domain: storage_domain)), options?: plan.on.options)
---`before_register`: Before a VM is registered on the target.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "before_register", handler: (fun(ctx: ctx, vm: vm)), options?: plan.on.options)
---`after_register`: After a VM is registered on the target.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "after_register", handler: (fun(ctx: ctx, vm: vm)), options?: plan.on.options)
---`before_rank`: Before the first VM of a rank starts.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "before_rank", handler: (fun(ctx: ctx, rank: rank)), options?: plan.on.options)
---`after_rank`: After every VM of a rank met its boot condition or failed.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "after_rank", handler: (fun(ctx: ctx, rank: rank)), options?: plan.on.options)
---`before_start`: Before a VM starts.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "before_start", handler: (fun(ctx: ctx, vm: vm)), options?: plan.on.options)
---`after_start`: After a VM met its boot condition.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "after_start", handler: (fun(ctx: ctx, vm: vm)), options?: plan.on.options)
---`verify_vm`: After after_start; returning false makes the VM unverified.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "verify_vm", handler: (fun(ctx: ctx, vm: vm): boolean?), options?: plan.on.options)
---`before_stop`: Before a VM is shut down at the source.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "before_stop", handler: (fun(ctx: ctx, vm: vm)), options?: plan.on.options)
---`after_stop`: After a VM was seen down at the source.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "after_stop", handler: (fun(ctx: ctx, vm: vm)), options?: plan.on.options)
---`after_run`: After the last stage; the second argument is the result.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "after_run", handler: (fun(ctx: ctx, result: run_result)), options?: plan.on.options)
---`on_error`: When an action stops; the second argument is the error.
---
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, point: "on_error", handler: (fun(ctx: ctx, err: run_error)), options?: plan.on.options)
---Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.
---@field on fun(self: plan, arguments: plan.on.arguments)
local plan = {}

---Adds the hooks of a library. plan:use(require "site.netapp" { vserver = "svm_dr" })
---@param library library # What dr.library returned, called with its options where it has some.
---@param options? plan.use.options
---@overload fun(self: plan, arguments: plan.use.arguments)
function plan:use(library, options) end

---The plan's own actions, by name.
---@class (exact) plan_actions
---@field [string] (fun(ctx: ctx))
local plan_actions = {}

---A library of hooks. Call it with its options, and give it to plan:use.
---@class (exact) library
---@field name string # Name of the library.
---@field version string # Its version.
---@field options table<string, any>? # Its options, once it was called with them.
---@overload fun(options: table<string, any>): library
local library = {}

---Something that drrun could not know; check names each with its place.
---@class (exact) dr.todo
---@field text string # What to fill in.
local todo = {}

