// Package admission decides whether a request fits on this worker, by the cost model of the real one.
// It knows cores, holds and time; it starts nothing and measures nothing itself.
package admission

import (
	"sync"
	"time"

	"reelkit/worker-standin/internal/config"
)

// Hold is how long a fresh egress is charged its declared cost, before measured use counts alone.
const Hold = 15 * time.Second

const (
	pulseClientsPerWeb = 4   // what the real worker reserves for one headless browser
	memoryHeadroomGB   = 1.0 // kept free by the real worker on top of the declared memory cost
)

// Cost is what one request is charged.
type Cost struct {
	Cores    float64
	MemoryGB float64
	Web      bool
}

type charge struct {
	cost      Cost
	heldUntil time.Time
	used      float64
}

// Gate is the book of what runs and what it is charged.
type Gate struct {
	mu      sync.Mutex
	costs   config.CPUCost
	total   func() float64
	rssGB   func() float64
	now     func() time.Time
	charges map[string]*charge
}

// Verdict of an attempt to enter.
type Verdict int

// Verdicts.
const (
	Accepted Verdict = iota
	Full
	Duplicate
)

// New builds a gate; total and rssGB are asked at each decision.
func New(costs config.CPUCost, total, rssGB func() float64, now func() time.Time) *Gate {
	return &Gate{costs: costs, total: total, rssGB: rssGB, now: now, charges: map[string]*charge{}}
}

// Fits reports whether a request of this cost would be accepted now.
func (g *Gate) Fits(c Cost, estimatedCores float64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fits(c, estimatedCores)
}

// Enter checks again under the lock and books the request.
func (g *Gate) Enter(id string, c Cost, estimatedCores float64) Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.charges[id] != nil {
		return Duplicate
	}
	if !g.fits(c, estimatedCores) {
		return Full
	}
	g.charges[id] = &charge{cost: c, heldUntil: g.now().Add(Hold)}
	return Accepted
}

// Leave frees what the egress was charged.
func (g *Gate) Leave(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.charges, id)
}

// Measured records the cores each egress uses now.
func (g *Gate) Measured(cores map[string]float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, ch := range g.charges {
		ch.used = cores[id]
	}
}

// Available is the number of cores a new request may still ask for.
func (g *Gate) Available() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.available()
}

// PulseClients is the number of audio clients the live browsers would hold.
func (g *Gate) PulseClients() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pulseClients()
}

func (g *Gate) fits(c Cost, estimatedCores float64) bool {
	if g.costs.MaxMemoryGB > 0 && g.rssGB()+g.pendingMemory()+c.MemoryGB+memoryHeadroomGB >= g.costs.MaxMemoryGB {
		return false
	}
	if c.Web && g.pulseClients()+pulseClientsPerWeb > g.costs.MaxPulseClients {
		return false
	}
	required := estimatedCores
	if required == 0 {
		required = c.Cores
	}
	return g.available() >= required
}

func (g *Gate) available() float64 {
	if len(g.charges) == 0 {
		return g.total()
	}
	charged := 0.0
	for _, ch := range g.charges {
		charged += max(ch.used, g.held(ch))
	}
	return g.total()*g.costs.MaxCPUUtilization - charged
}

func (g *Gate) held(ch *charge) float64 {
	if g.now().Before(ch.heldUntil) {
		return ch.cost.Cores
	}
	return 0
}

func (g *Gate) pendingMemory() float64 {
	sum := 0.0
	for _, ch := range g.charges {
		if g.now().Before(ch.heldUntil) {
			sum += ch.cost.MemoryGB
		}
	}
	return sum
}

func (g *Gate) pulseClients() int {
	n := 0
	for _, ch := range g.charges {
		if ch.cost.Web {
			n += pulseClientsPerWeb
		}
	}
	return n
}
