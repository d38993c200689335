// Package compose turns recorded tracks into one file: where each picture goes, and the ffmpeg call
// that puts pictures and sound at their times. Layout and arguments are pure; run.go starts processes.
package compose

import (
	"math"
	"sort"
	"time"
)

// Box is a rectangle in pixels; all numbers are even, as H.264 wants them.
type Box struct{ X, Y, W, H int }

// Grid places n equal cells, as square as possible, with the last row centred.
func Grid(n, width, height int) []Box {
	if n < 1 {
		return nil
	}
	columns := int(math.Ceil(math.Sqrt(float64(n))))
	rows := (n + columns - 1) / columns
	w, h := even(width/columns), even(height/rows)
	boxes := make([]Box, n)
	for i := range boxes {
		row, column := i/columns, i%columns
		inRow := min(columns, n-row*columns)
		left := (width - inRow*w) / 2
		boxes[i] = Box{even(left + column*w), even(row * h), w, h}
	}
	return boxes
}

// Fit scales a picture into a cell without changing its shape, and centres it.
func Fit(width, height int, cell Box) Box {
	if width <= 0 || height <= 0 {
		return cell
	}
	scale := math.Min(float64(cell.W)/float64(width), float64(cell.H)/float64(height))
	w := max(2, even(int(math.Round(float64(width)*scale))))
	h := max(2, even(int(math.Round(float64(height)*scale))))
	return Box{even(cell.X + (cell.W-w)/2), even(cell.Y + (cell.H-h)/2), w, h}
}

// Slots gives each track a cell so that tracks seen at the same time never share one, and a track that
// comes back (the same owner, later) finds its old cell. It returns the cell of each track and how many there are.
func Slots(tracks []Track) (slot []int, count int) {
	order := make([]int, len(tracks))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return tracks[order[a]].Start < tracks[order[b]].Start })

	slot = make([]int, len(tracks))
	type cell struct {
		busyUntil time.Duration
		owner     string
	}
	var cells []cell
	for _, i := range order {
		t := tracks[i]
		best := -1
		for c := range cells {
			if cells[c].busyUntil > t.Start+overlapTolerance {
				continue
			}
			if best < 0 || cells[c].owner == t.Owner {
				best = c
			}
		}
		if best < 0 {
			cells = append(cells, cell{})
			best = len(cells) - 1
		}
		cells[best] = cell{t.End, t.Owner}
		slot[i] = best
	}
	return slot, len(cells)
}

// overlapTolerance lets a replaced track take the cell of the one it replaces.
const overlapTolerance = 200 * time.Millisecond

func even(n int) int { return n &^ 1 }
