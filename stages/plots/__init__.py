"""Every picture, drawn from results. A picture is never an input of a training."""
