"""What a job of ours is on the cluster.

Ray ships this folder as a package of its own and starts it before anything else of ours is imported, so that
a missing package is a message instead of a traceback. So it imports the standard library alone, and its own
modules relatively: here it is `rllib_lase.cluster.lase_job`, there `lase_job`.
"""
