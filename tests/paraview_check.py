"""Run by pvbatch: opens the series that program_fields wrote (argument 1: stem, 2: dimension, 3: frames, 4: picture), compares
every value of every frame with the formula of that program, and renders the last frame. Exit code 0: all agree."""
import sys
from paraview import servermanager
from paraview.simple import ColorBy, CreateView, GetColorTransferFunction, Render, SaveScreenshot, Show, XDMFReader

stem, dim, frames, picture = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


def expect(condition, message):
    if not condition:
        sys.exit("paraview_check: %s.xmf: %s" % (stem, message))


def close(value, expected):
    return abs(value - expected) <= 1e-12 * max(1.0, abs(expected))


reader = XDMFReader(FileNames=[stem + ".xmf"])
reader.UpdatePipelineInformation()
times = list(reader.TimestepValues)
expect(times == [0.5 * n for n in range(frames)], "times %s" % times)
for time in times:
    reader.UpdatePipeline(time)
    data = servermanager.Fetch(reader)
    cells = 20 * (18 if dim > 1 else 1) * (16 if dim > 2 else 1)
    expect(data.GetNumberOfCells() == cells, "%d cells, not %d" % (data.GetNumberOfCells(), cells))
    marker, velocity = data.GetCellData().GetArray("marker"), data.GetCellData().GetArray("velocity")
    expect(marker is not None and velocity is not None, "the fields marker and velocity are not there")
    for c in range(cells):
        box = data.GetCell(c).GetBounds()
        centre = [0.5 * (box[2 * a] + box[2 * a + 1]) for a in range(dim)]
        value = 1000.0 * time + sum(10.0**a * x for a, x in enumerate(centre))
        expect(close(marker.GetValue(c), value), "marker of cell %d at time %g: %r, expected %r" % (c, time, marker.GetValue(c), value))
        for a, v in enumerate(velocity.GetTuple(c)):
            wanted = (a + 1) * value if a < dim else 0.0
            expect(close(v, wanted), "velocity %d of cell %d at time %g: %r, expected %r" % (a, c, time, v, wanted))

view = CreateView("RenderView")
view.ViewSize = [480, 480]
view.ViewTime = times[-1]
display = Show(reader, view)
display.SetRepresentationType("Surface")
ColorBy(display, ("CELLS", "marker"))
display.RescaleTransferFunctionToDataRange(False)
GetColorTransferFunction("marker").ApplyPreset("Viridis (matplotlib)", True)
view.ResetCamera()
Render(view)
SaveScreenshot(picture, view)

from vtkmodules.vtkIOImage import vtkPNGReader  # noqa: E402

png = vtkPNGReader()
png.SetFileName(picture)
png.Update()
scalars = png.GetOutput().GetPointData().GetScalars()
colours = {scalars.GetTuple(i)[:3] for i in range(0, scalars.GetNumberOfTuples(), 7)}
expect(len(colours) > 15, "the picture has %d colours" % len(colours))
