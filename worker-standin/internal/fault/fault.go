// Package fault holds the failures a test orders: which room, at which step, what happens.
// It only decides; the worker carries the decision out.
package fault

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"time"
)

// Step names a moment in the life of an egress.
type Step string

// Steps, in the order an egress meets them.
const (
	Claim  Step = "claim"  // StartEgress reached this worker, nothing is stored yet
	Launch Step = "launch" // the record is being created, the handler is starting
	Start  Step = "start"  // accepted, not yet ACTIVE
	Active Step = "active" // recording
	Stop   Step = "stop"   // ENDING, the file is being finished
)

// Action says what happens at the step.
type Action string

// Actions.
const (
	Fail  Action = "fail"  // the egress (or the start call) ends with the rule's error
	Crash Action = "crash" // the process is gone at once, no update is sent
	Hang  Action = "hang"  // the step never gets an answer or an end
	End   Action = "end"   // the egress ends as complete, with the rule's details
)

// Rule is one ordered failure. Times 0 means every time.
type Rule struct {
	Room     string `json:"room"`
	Step     Step   `json:"step"`
	Action   Action `json:"action"`
	Code     int32  `json:"code"`
	Message  string `json:"message"`
	Details  string `json:"details"`
	AfterStr string `json:"after"`
	Times    int    `json:"times"`
	Disables *bool  `json:"disables"`

	After time.Duration `json:"-"`

	room *regexp.Regexp
	left int
}

// Set is the rules of one worker. A nil Set has none.
type Set struct {
	mu    sync.Mutex
	rules []*Rule
}

// Parse reads the JSON of STANDIN_FAULTS; empty text gives no rules.
func Parse(text string) (*Set, error) {
	if text == "" {
		return &Set{}, nil
	}
	var rules []*Rule
	if err := json.Unmarshal([]byte(text), &rules); err != nil {
		return nil, fmt.Errorf("STANDIN_FAULTS is not a JSON array of rules: %w", err)
	}
	for i, r := range rules {
		if err := r.prepare(); err != nil {
			return nil, fmt.Errorf("STANDIN_FAULTS rule %d: %w", i, err)
		}
	}
	return &Set{rules: rules}, nil
}

// Take returns the first rule for the room and step and counts it as used, or nil.
func (s *Set) Take(room string, step Step) *Rule {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if r.Step == step && r.room.MatchString(room) && r.use() {
			return r
		}
	}
	return nil
}

func (r *Rule) use() bool {
	if r.Times == 0 {
		return true
	}
	if r.left == 0 {
		return false
	}
	r.left--
	return true
}

func (r *Rule) prepare() (err error) {
	if r.room, err = regexp.Compile(r.Room); err != nil {
		return fmt.Errorf("room %q is not a regular expression: %w", r.Room, err)
	}
	switch r.Step {
	case Claim, Launch, Start, Active, Stop:
	default:
		return fmt.Errorf("step is %q: use claim, launch, start, active or stop", r.Step)
	}
	switch r.Action {
	case Fail, Crash, Hang:
	case End:
		if r.Step != Active {
			return fmt.Errorf("action end belongs to step active, not %s", r.Step)
		}
	default:
		return fmt.Errorf("action is %q: use fail, crash, hang or end", r.Action)
	}
	if r.AfterStr != "" {
		if r.After, err = time.ParseDuration(r.AfterStr); err != nil {
			return fmt.Errorf("after is %q: use a Go duration", r.AfterStr)
		}
	}
	if r.Times < 0 {
		return fmt.Errorf("times is %d: use 0 for always or a positive number", r.Times)
	}
	r.left = r.Times
	if r.Message == "" {
		r.Message = "injected failure"
	}
	return nil
}
