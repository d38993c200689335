package admission

import (
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"

	"reelkit/worker-standin/internal/config"
)

func gate(t *testing.T, cores float64, yaml string) (*Gate, config.CPUCost, *time.Time) {
	t.Helper()
	conf, err := config.Parse(yaml)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	g := New(conf.CPUCost, func() float64 { return cores }, func() float64 { return 0.1 }, func() time.Time { return now })
	return g, conf.CPUCost, &now
}

func roomReq() *rpc.StartEgressRequest {
	return &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{}}}
}

func TestAnIdleWorkerTakesARequestUpToItsWholeCoreCount(t *testing.T) {
	g, costs, _ := gate(t, 4, "")
	if !g.Fits(CostOf(costs, roomReq()), 0) {
		t.Fatal("four idle cores must take a request that costs four")
	}
	g, costs, _ = gate(t, 3.9, "")
	if g.Fits(CostOf(costs, roomReq()), 0) {
		t.Fatal("3.9 cores must never take a request that costs four")
	}
}

func TestABusyWorkerIsCappedAndChargesTheDeclaredCostForFifteenSeconds(t *testing.T) {
	g, _, now := gate(t, 4, "")
	two := Cost{Cores: 2}
	if g.Enter("a", two, 0) != Accepted {
		t.Fatal("first request must fit")
	}
	if got := g.Available(); !near(got, 1.2) {
		t.Fatalf("available is %v, want 4*0.8-2", got)
	}
	if g.Enter("b", two, 0) != Full {
		t.Fatal("a second request of two cores must not fit while the first is held")
	}
	*now = now.Add(Hold + time.Millisecond)
	g.Measured(map[string]float64{"a": 0.5})
	if got := g.Available(); !near(got, 2.7) {
		t.Fatalf("after the hold only measured use counts: got %v, want 2.7", got)
	}
	if g.Enter("b", two, 0) != Accepted {
		t.Fatal("now the second request fits")
	}
}

func TestMeasuredUseAboveTheDeclaredCostCounts(t *testing.T) {
	g, _, _ := gate(t, 8, "")
	g.Enter("a", Cost{Cores: 1}, 0)
	g.Measured(map[string]float64{"a": 3})
	if got := g.Available(); !near(got, 3.4) {
		t.Fatalf("got %v, want 8*0.8-3", got)
	}
}

func TestTheSameIDIsADuplicateAndLeavingFreesTheCharge(t *testing.T) {
	g, _, _ := gate(t, 8, "")
	g.Enter("a", Cost{Cores: 1}, 0)
	if g.Enter("a", Cost{Cores: 1}, 0) != Duplicate {
		t.Fatal("same id must be a duplicate")
	}
	g.Leave("a")
	if got := g.Available(); got != 8 {
		t.Fatalf("an idle worker offers its total again, got %v", got)
	}
}

func TestBrowsersAreLimitedByAudioClients(t *testing.T) {
	g, _, _ := gate(t, 1000, "")
	web := Cost{Cores: 1, Web: true}
	for i := range 15 {
		if g.Enter(string(rune('a'+i)), web, 0) != Accepted {
			t.Fatalf("request %d must fit", i)
		}
	}
	if g.Enter("z", web, 0) != Full {
		t.Fatal("60 audio clients are 15 browsers")
	}
	if g.Enter("z", Cost{Cores: 1}, 0) != Accepted {
		t.Fatal("a request without a browser still fits")
	}
}

func TestMemoryAdmissionKeepsOneGigabyteFree(t *testing.T) {
	g, _, _ := gate(t, 8, "cpu_cost: {max_memory: 2, memory_cost: 1}")
	if g.Fits(Cost{Cores: 1, MemoryGB: 1}, 0) {
		t.Fatal("0.1 used + 1 asked + 1 free does not fit into 2")
	}
}

func TestCostsByKindOfRequest(t *testing.T) {
	_, costs, _ := gate(t, 8, "")
	rows := []struct {
		name string
		req  *rpc.StartEgressRequest
		want float64
		web  bool
	}{
		{"room composite", roomReq(), 4, true},
		{"audio room composite without layout needs no browser", &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{AudioOnly: true}}}, 1, false},
		{"audio room composite with layout", &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{AudioOnly: true, Layout: "grid"}}}, 1, true},
		{"web", &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_Web{Web: &livekit.WebEgressRequest{}}}, 4, true},
		{"participant", &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_Participant{}}, 2, false},
		{"track composite", &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_TrackComposite{}}, 1, false},
		{"track", &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_Track{}}, 0.5, false},
		{"media source", &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_Egress{Egress: &livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Media{Media: &livekit.MediaSource{}}}}}, 2, false},
		{"template", &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_Egress{Egress: &livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{}}}}}, 4, true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if c := CostOf(costs, r.req); c.Cores != r.want || c.Web != r.web {
				t.Fatalf("got %+v, want %v cores, browser %v", c, r.want, r.web)
			}
		})
	}
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
