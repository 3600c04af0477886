"""nbgrader's steps mapped onto the folders of the course.

`grader build` makes the release notebooks (nbgrader's own steps, with stubs of our own), and
`grader grade` fills the gradebook. Plain `nbgrader autograde`, `generate_feedback`, `export` and
the formgrader work on the same folders.
"""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "neural_networks_by_hand"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "course"
c.CourseDirectory.notebook_id = "*_exercises"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "*.md"]
