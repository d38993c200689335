package fault

import (
	"testing"
	"time"
)

func TestARuleAppliesToItsRoomAndStepAsOftenAsItSays(t *testing.T) {
	s, err := Parse(`[{"room":"^bad-","step":"active","action":"fail","code":500,"message":"m","after":"2s","times":1}]`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Take("good", Active) != nil || s.Take("bad-1", Start) != nil {
		t.Fatal("other rooms and steps are not touched")
	}
	r := s.Take("bad-1", Active)
	if r == nil || r.Code != 500 || r.After != 2*time.Second {
		t.Fatalf("got %+v", r)
	}
	if s.Take("bad-2", Active) != nil {
		t.Fatal("times 1 means once")
	}
}

func TestWithoutTimesARuleAppliesAlways(t *testing.T) {
	s, _ := Parse(`[{"step":"claim","action":"hang"}]`)
	for range 3 {
		if s.Take("any", Claim) == nil {
			t.Fatal("must apply every time")
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for _, text := range []string{`{}`, `[{"step":"later","action":"fail"}]`, `[{"step":"claim","action":"explode"}]`,
		`[{"step":"claim","action":"fail","after":"soon"}]`, `[{"room":"(","step":"claim","action":"fail"}]`,
		`[{"step":"start","action":"end"}]`, `[{"step":"start","action":"fail","times":-1}]`} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s must be refused", text)
		}
	}
}
