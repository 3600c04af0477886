from grader.exercise import Chapter

chapter = Chapter("03_activations", "Activations")
