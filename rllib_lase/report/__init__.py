"""Results as pictures, GIFs and one static HTML page. Reads run folders; knows nothing of training."""

from rllib_lase.report.gif import write_gif
from rllib_lase.report.page import write_pictures, write_report

__all__ = ["write_gif", "write_pictures", "write_report"]
